from dataclasses import dataclass

from av.audio.stream import AudioStream
from av.stream import Stream
from av.video.stream import VideoStream

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.allowlists import COVER_CODECS, MP4_AUDIO, MP4_SUBTITLES, MP4_VIDEO
from dataflow.media.child.source import Source, codec_name


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a source goes into the dubbed file.

    Attributes:
        picture: The main picture, copied; None for audio files.
        original: The audio track that is kept beside the dub.
        extras: Subtitles and covers, copied.
    """

    picture: VideoStream | None
    original: AudioStream | None
    extras: tuple[Stream, ...]

    @classmethod
    def of(cls, source: Source, original: int | None) -> "Selection":
        """Select.

        Args:
            source: The source.
            original: Stream index of the audio track to keep.

        Raises:
            DubflowError: UNSUPPORTED_MEDIA where the picture does not fit MP4, or there is no such track.
        """
        picture = source.pictures[0] if source.pictures else None
        if picture is not None and (reason := obstacle(source, picture)):
            raise DubflowError(ErrorCode.UNSUPPORTED_MEDIA, reason)
        subtitles = [s for s in source.container.streams.subtitles if codec_name(s) in MP4_SUBTITLES]
        covers = [s for s in source.covers if codec_name(s) in COVER_CODECS]
        track = None if original is None else source.track(original)
        return cls(picture, track, (*subtitles, *covers))

    @property
    def copies_original(self) -> bool:
        """False where the original track must be re-encoded, or there is none."""
        return self.original is not None and codec_name(self.original) in MP4_AUDIO

    @property
    def copied(self) -> list[Stream]:
        """All streams of which packets are copied."""
        main = (self.picture, self.original if self.copies_original else None)
        return [s for s in (*main, *self.extras) if s is not None]

    @property
    def played(self) -> list[Stream]:
        """The picture and the original track."""
        return [s for s in (self.picture, self.original) if s is not None]


def obstacle(source: Source, picture: VideoStream) -> str:
    """Why a picture cannot be copied into MP4, and what to do about it; empty where it can."""
    codec = codec_name(picture)
    if codec not in MP4_VIDEO:
        return f"MP4 cannot carry {codec} video; convert the picture to H.264 first"
    if source.container.format.name == "avi" and codec in {"h264", "hevc"} and picture.codec_context.has_b_frames:
        # AVI stores pictures in coding order, and FFmpeg guesses the order in which they show for older codecs alone.
        return f"the AVI file does not say when its {codec} pictures show; convert it to MP4 first"
    return ""
