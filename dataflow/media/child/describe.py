from typing import TYPE_CHECKING, Any

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.allowlists import MP4_SUBTITLES, VIDEO_DECODERS
from dataflow.media.child.channel import Channel, Request
from dataflow.media.child.clock import exact_start
from dataflow.media.child.selection import obstacle
from dataflow.media.child.source import Source, codec_name, has_decoder, opened

if TYPE_CHECKING:
    from av.packet import Packet

PACKETS_LOOKED_AT = 300
CHAPTERS_AT_MOST = 1_000
TEXT_AT_MOST = 500


def run(request: Request, channel: Channel) -> dict[str, Any]:  # noqa: ARG001 - all tasks are called alike
    """Say what a file claims to be: the fields of `MediaInfo`.

    Raises:
        DubflowError: UNSUPPORTED_MEDIA, TRUNCATED_MEDIA or MEDIA_LIMIT.
    """
    with opened(request) as source:
        if not source.pictures and not source.tracks:
            message = "the file holds neither video nor audio of a supported format"
            raise DubflowError(ErrorCode.UNSUPPORTED_MEDIA, message)
        rotation = _look_inside(source)
        container = source.container
        return {
            "container": container.format.name,
            "duration": None if container.duration is None else container.duration / 1_000_000,
            "start_time": float(exact_start(container)),
            "missing_bytes": source.structure.missing_bytes,
            "title": _text(container.metadata, "title"),
            "videos": [_video(source, s, rotation if i == 0 else 0) for i, s in enumerate(source.pictures)],
            "audios": _audios(source),
            "subtitles": [_subtitle(s) for s in container.streams.subtitles],
            "chapters": _chapters(container),
        }


def _look_inside(source: Source) -> int:
    """Read the first packets: refuse encrypted ones, and return the rotation of the first picture."""
    waiting = {s.index for s in [*source.pictures, *source.tracks]}
    picture = source.pictures[0] if source.pictures else None
    rotation = None if picture else 0
    try:
        for count, packet in enumerate(source.container.demux(*source.pictures, *source.tracks)):
            _refuse_encrypted(packet)
            waiting.discard(packet.stream_index)
            if rotation is None and picture is not None and packet.stream_index == picture.index:
                rotation = _rotation(picture, packet)
            if (not waiting and rotation is not None) or count > PACKETS_LOOKED_AT:
                break
    except av.FFmpegError:
        # Damage is for decoding to find and to count.
        return rotation or 0
    return rotation or 0


def _refuse_encrypted(packet: "Packet[Stream]") -> None:
    if packet.has_sidedata("encryption_info") or packet.has_sidedata("encryption_init_info"):
        message = "the file is encrypted (DRM); only files that play without a licence key can be dubbed"
        raise DubflowError(ErrorCode.UNSUPPORTED_MEDIA, message)


def _rotation(picture: VideoStream, packet: "Packet[Stream]") -> int | None:
    """Degrees clockwise, None until a packet gives a picture; 0 where the codec is not on the list of decoders."""
    if not has_decoder(picture) or picture.codec_context.name not in VIDEO_DECODERS:
        return 0
    try:
        frames = picture.codec_context.decode(packet)
    except av.FFmpegError:
        return None
    return -frames[0].rotation % 360 if frames else None


def _video(source: Source, stream: VideoStream, rotation: int) -> dict[str, Any]:
    return {
        "index": stream.index,
        "codec": codec_name(stream),
        "width": stream.codec_context.width if has_decoder(stream) else 0,
        "height": stream.codec_context.height if has_decoder(stream) else 0,
        "rotation": rotation,
        "rate": float(stream.average_rate) if stream.average_rate else None,
        "obstacle": obstacle(source, stream),
    }


def _audios(source: Source) -> list[dict[str, Any]]:
    origin = exact_start(source.container)
    return [
        {
            "index": stream.index,
            "codec": codec_name(stream),
            "rate": stream.rate,
            "channels": stream.channels,
            "layout": stream.layout.name,
            "language": _text(stream.metadata, "language"),
            "title": _text(stream.metadata, "title"),
            "default": bool(stream.disposition & Disposition.default),
            "start": float((stream.start_time or 0) * stream.time_base - origin) if stream.time_base else 0.0,
            "duration": float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None,
        }
        for stream in source.tracks
    ]


def _subtitle(stream: SubtitleStream) -> dict[str, Any]:
    return {
        "index": stream.index,
        "codec": codec_name(stream),
        "language": _text(stream.metadata, "language"),
        "fits_mp4": codec_name(stream) in MP4_SUBTITLES,
    }


def _chapters(container: InputContainer) -> list[dict[str, Any]]:
    origin = exact_start(container)
    return [
        {
            "start": float(chapter["start"] * chapter["time_base"] - origin),
            "end": float(chapter["end"] * chapter["time_base"] - origin),
            "title": _text(chapter["metadata"], "title"),
        }
        for chapter in container.chapters()[:CHAPTERS_AT_MOST]
        if chapter["time_base"]
    ]


def _text(metadata: dict[str, str], key: str) -> str:
    return metadata.get(key, "")[:TEXT_AT_MOST]
