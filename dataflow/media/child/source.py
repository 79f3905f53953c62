import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.allowlists import AUDIO_DECODERS, DEMUXERS, VIDEO_DECODERS
from dataflow.media.child.channel import Request
from dataflow.media.child.structure import Structure, inspect

AUDIO_RATES = range(1_000, 768_001)


@dataclass(frozen=True, slots=True)
class Source:
    """An opened media file.

    Attributes:
        container: FFmpeg's view of it.
        structure: What the outermost layer says of its size.
        size: Bytes that are there.
    """

    container: InputContainer
    structure: Structure
    size: int

    @property
    def pictures(self) -> list[VideoStream]:
        """Moving pictures, the one marked as default first."""
        moving = [s for s in self.container.streams.video if not is_cover(s)]
        return sorted(moving, key=lambda s: not s.disposition & Disposition.default)

    @property
    def covers(self) -> list[VideoStream]:
        """Attached pictures that can be read."""
        pictures = (s for s in self.container.streams.video if is_cover(s) and has_decoder(s))
        return [s for s in pictures if s.codec_context.width]

    @property
    def tracks(self) -> list[AudioStream]:
        """Audio tracks that can be decoded as far as the header tells."""
        return [s for s in self.container.streams.audio if has_decoder(s) and s.rate in AUDIO_RATES]

    def track(self, index: int) -> AudioStream:
        """The audio track with a stream index.

        Raises:
            DubflowError: UNSUPPORTED_MEDIA where there is none, or its codec is not on the list.
        """
        track = next((s for s in self.tracks if s.index == index), None)
        if track is None:
            raise DubflowError(ErrorCode.UNSUPPORTED_MEDIA, f"stream {index} of the file is not a usable audio track")
        if track.codec_context.name not in AUDIO_DECODERS:
            message = f"audio in {codec_name(track)} is not supported; convert the track to AAC or FLAC first"
            raise DubflowError(ErrorCode.UNSUPPORTED_MEDIA, message)
        return track


@contextmanager
def opened(request: Request) -> Iterator[Source]:
    """Open the source of a request through the descriptor that the parent has passed.

    The name of a file never reaches FFmpeg, whose own syntax would give meaning to parts of it, and the one protocol
    that is allowed opens nothing but that descriptor.

    Raises:
        DubflowError: UNSUPPORTED_MEDIA, TRUNCATED_MEDIA or MEDIA_LIMIT.
    """
    structure = inspect(request["source"])
    options = {
        "fd": str(request["source"]),
        "protocol_whitelist": "fd",
        "format_whitelist": ",".join(DEMUXERS),
        "codec_whitelist": ",".join(AUDIO_DECODERS + VIDEO_DECODERS),
        "max_pixels": str(request["max_pixels"]),
        # FFmpeg leaves surplus streams out without a word: one more than is allowed shows that there are some.
        "max_streams": str(request["max_streams"] + 1),
    }
    try:
        container = av.open("fd:", "r", options=options, metadata_errors="replace")
    except av.MemoryError:
        raise
    except av.FFmpegError as error:
        raise _refusal(structure) from error
    with container:
        _check_limits(container, request)
        for stream in container.streams:
            if has_decoder(stream):
                stream.codec_context.thread_count = 1
        yield Source(container, structure, os.fstat(request["source"]).st_size)


def is_cover(stream: Stream) -> bool:
    """True for pictures that stand for the whole file, such as an album's cover."""
    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def codec_name(stream: Stream) -> str:
    """FFmpeg's name of the codec, not of one of its decoders."""
    return stream.codec_context.codec.canonical_name if has_decoder(stream) else "an unknown codec"


def has_decoder(stream: Stream) -> bool:
    """False for codecs that this FFmpeg does not know; their streams have no context, against PyAV's type hints."""
    return getattr(stream, "codec_context", None) is not None


def _refusal(structure: Structure) -> DubflowError:
    if structure.headless or structure.missing_bytes:
        message = "the file is cut off: the part that says what is in it is missing; fetch or record it again"
        return DubflowError(ErrorCode.TRUNCATED_MEDIA, message)
    return DubflowError(ErrorCode.UNSUPPORTED_MEDIA, "the file is not video or audio of a supported format")


def _check_limits(container: InputContainer, request: Request) -> None:
    allowed = request["max_streams"]
    if len(container.streams) > allowed:
        raise DubflowError(ErrorCode.MEDIA_LIMIT, f"the file has more than the {allowed} streams that are allowed")
    for stream in filter(has_decoder, container.streams.video):
        context = stream.codec_context
        # A decoder that meets a picture over the limit leaves no size behind.
        refused = context.name in VIDEO_DECODERS and not context.width and not is_cover(stream)
        if refused or context.width * context.height > request["max_pixels"]:
            size = f"is {context.width}x{context.height} pixels large" if context.width else "has no readable size"
            message = f"the picture {size}, at most {request['max_pixels']} pixels are allowed"
            raise DubflowError(ErrorCode.MEDIA_LIMIT, message)
