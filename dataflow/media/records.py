"""What is known of a media file, what is asked of the media child, and what it answers."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dataflow.media.allowlists import AAC_RATES

if TYPE_CHECKING:
    from cluster.settings import Settings


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """What one media file may cost.

    Attributes:
        max_bytes: Larger files are refused.
        max_seconds: Longer sources are refused, by decoded time.
        max_pixels: Larger pictures are refused.
        max_streams: Files with more streams are refused.
        memory_bytes: Address space of the child.
        stall_seconds: A child that for so long neither reads nor delivers is ended.
    """

    max_bytes: int
    max_seconds: float
    max_pixels: int
    max_streams: int
    memory_bytes: int
    stall_seconds: float

    @classmethod
    def from_settings(cls, settings: "Settings") -> "MediaLimits":
        """The limits that an operator has set."""
        return cls(
            max_bytes=settings.max_source_bytes,
            max_seconds=settings.max_source_seconds,
            max_pixels=settings.max_pixels,
            max_streams=settings.max_streams,
            memory_bytes=settings.media_memory_bytes,
            stall_seconds=settings.media_stall_seconds,
        )

    def cpu_seconds(self, size: int) -> int:
        """CPU seconds for a file of `size` bytes: about ten times what encoding the longest source takes."""
        return 60 + round(0.25 * self.max_seconds) + size // 10_000_000

    def output_bytes(self, size: int) -> int:
        """Bytes that a child may write for a source of `size` bytes: the source again, and two audio tracks."""
        return 2 * size + round(self.max_seconds * 200_000) + (1 << 26)


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """A moving picture; attached pictures are none.

    Attributes:
        index: The stream's index in the file.
        codec: FFmpeg's codec name.
        width: Pixels, as coded.
        height: Pixels, as coded.
        rotation: Degrees clockwise by which players turn the picture: 0, 90, 180 or 270 as a rule.
        rate: Average frames per second, where known.
        obstacle: Why MP4 cannot carry the picture, and what to do about it; empty where it can.
    """

    index: int
    codec: str
    width: int
    height: int
    rotation: int
    rate: float | None
    obstacle: str


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """An audio track.

    Attributes:
        index: The stream's index in the file.
        codec: FFmpeg's codec name.
        rate: Samples per second in Hz.
        channels: How many.
        layout: FFmpeg's name of the channel layout (`stereo`, `5.1`, `8 channels` where the file does not say).
        language: BCP-47, where the file says.
        title: The track's title, may be empty.
        default: Whether the file marks the track as default.
        start: Seconds on the source's clock at which the track starts.
        duration: Seconds that the header declares, where it does.
    """

    index: int
    codec: str
    rate: int
    channels: int
    layout: str
    language: str | None
    title: str
    default: bool
    start: float
    duration: float | None

    @property
    def heard_channels(self) -> Literal[1, 2]:
        """Channels of what is made of it: mono only where it is."""
        return 1 if self.channels == 1 else 2


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    """A subtitle track inside the file; `fits_mp4` tells whether it is kept."""

    index: int
    codec: str
    language: str | None
    fits_mp4: bool


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named stretch, in seconds on the source's clock."""

    start: float
    end: float
    title: str


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file claims to be; only decoding tells whether it is true.

    Attributes:
        container: FFmpeg's demuxer name.
        size: Bytes.
        duration: Seconds that the header declares, where it does.
        start_time: What the container calls its start, in seconds: it is t = 0 of the source's clock.
        missing_bytes: Bytes that the container's own structure says should follow the end of the file;
            None where the container does not say how long it is.
        title: The file's title, may be empty.
        videos: Moving pictures, the main one first.
        audios: Audio tracks in file order.
        subtitles: Subtitle tracks in file order.
        chapters: In order of time.
    """

    container: str
    size: int
    duration: float | None
    start_time: float
    missing_bytes: int | None
    title: str
    videos: tuple[VideoTrack, ...]
    audios: tuple[AudioTrack, ...]
    subtitles: tuple[SubtitleTrack, ...]
    chapters: tuple[Chapter, ...]

    @property
    def video(self) -> VideoTrack | None:
        """The moving picture that is kept; None for audio files, with or without a cover."""
        return self.videos[0] if self.videos else None

    @property
    def video_fits_mp4(self) -> bool:
        """True where the output can carry the picture unchanged, or there is none."""
        return self.video is None or not self.video.obstacle


@dataclass(frozen=True, slots=True)
class DecodeSummary:
    """What came out of a track that was decoded to its end.

    Attributes:
        seconds: Length delivered, from t = 0 of the source's clock to the end of the track.
        declared_seconds: Where the header says that the track ends, if it does.
        corrupt_packets: Packets that were damaged and skipped; their time is silence.
        silent_seconds: Silence that was filled in: before the track's start and where the track has gaps.
        truncated: The track ends before 98 % of what is declared, and the file is not complete by its own structure.
    """

    seconds: float
    declared_seconds: float | None
    corrupt_packets: int
    silent_seconds: float
    truncated: bool


@dataclass(frozen=True, slots=True)
class MuxPlan:
    """A dubbed file to be written.

    Attributes:
        source: The source file.
        output: Where to write: MP4 for sources with a picture, else M4A. Replaced where it exists.
        rate: Samples per second of the dub in Hz, one of AAC's.
        channels: Of the dub.
        samples: Length of the dub in sample frames; the track decodes to exactly as many.
        language: Of the dub, BCP-47.
        title: Of the dub's track.
        bit_rate: Of the dub in bit/s.
        original: Stream index of the audio track that is kept beside the dub, or None for none.
        original_language: BCP-47; None leaves what the file says.
        original_title: Title of the kept track; empty leaves what the file says.
    """

    source: Path
    output: Path
    rate: int
    channels: Literal[1, 2]
    samples: int
    language: str
    title: str
    bit_rate: int = 128_000
    original: int | None = None
    original_language: str | None = None
    original_title: str = ""

    def __post_init__(self) -> None:
        if self.rate not in AAC_RATES:
            raise ValueError(f"AAC cannot carry {self.rate} Hz, expected one of {AAC_RATES}")
        if self.channels not in {1, 2}:
            raise ValueError(f"a dub has 1 or 2 channels, got {self.channels}")
        if self.samples < 1:
            raise ValueError(f"a dub has at least one sample, got {self.samples}")


@dataclass(frozen=True, slots=True)
class MuxResult:
    """A dubbed file that was written and flushed to disk.

    Attributes:
        size: Bytes.
        video_packets: Packets of the picture that were copied.
        video_seconds: End of the last picture on the source's clock; 0 without a picture.
        damaged_packets: Packets of the source that were too damaged to be copied.
        original: What became of the original track.
    """

    size: int
    video_packets: int
    video_seconds: float
    damaged_packets: int
    original: Literal["copied", "encoded", "none"]
