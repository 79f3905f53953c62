import errno
import math
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer
from av.stream import Disposition

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.child.channel import Channel, Request
from dataflow.media.child.clock import exact_start
from dataflow.media.child.copied import CopiedAudioTrack, CopiedTrack
from dataflow.media.child.dub import FRAME_SAMPLES, DubTrack
from dataflow.media.child.encoded import EncodedTrack
from dataflow.media.child.placement import index_options
from dataflow.media.child.reader import PacketReader
from dataflow.media.child.selection import Selection
from dataflow.media.child.source import Source, opened
from dataflow.media.child.writer import PacketWriter

SYNTHETIC = (
    "The first audio track is a dub: synthetic speech made with AI from the original speech. IPTC digital source type: "
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)
"""Marks the output for machines and people, as the EU AI Act (Art. 50) asks for."""

CONTAINER_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})
"""Metadata that describe the source's container, not its content."""

MOVIE_TIMESCALE_AT_MOST = (1 << 31) - 1

Tracks = dict[int, CopiedTrack | EncodedTrack]


def run(request: Request, channel: Channel) -> dict[str, Any]:
    """Write the dubbed file: the fields of `MuxResult` that the child knows.

    Raises:
        DubflowError: UNSUPPORTED_MEDIA, TRUNCATED_MEDIA, MEDIA_LIMIT, TOO_LARGE, DISK_FULL or STORAGE_FAILED.
    """
    with opened(request) as source, storage_errors():
        selection = Selection.of(source, request["original"])
        writer = PacketWriter(_created(request, source, selection))
        # The order of creation is the order in the file.
        picture = _picture_track(writer, selection)
        dub = _dub_track(writer, request, channel)
        tracks = picture | _original_track(writer, request, selection) | _extra_tracks(writer, selection)
        _describe(writer.container, source)
        _pump(source, tracks, dub)
        writer.container.close()
        copied = [t for t in picture.values() if isinstance(t, CopiedTrack)]
        return {
            "video_packets": sum(t.packets for t in copied),
            "video_seconds": max((t.end for t in copied), default=0.0),
            "damaged_packets": writer.damaged,
            "original": "none" if not selection.original else "copied" if selection.copies_original else "encoded",
        }


@contextmanager
def storage_errors() -> Iterator[None]:
    """Name what goes wrong while writing."""
    try:
        yield
    except av.MemoryError:
        raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            message = "the disk is full; free some space or choose another folder"
            raise DubflowError(ErrorCode.DISK_FULL, message) from error
        if error.errno == errno.EFBIG:
            raise DubflowError(ErrorCode.MEDIA_LIMIT, "the output grows larger than is allowed") from error
        raise DubflowError(ErrorCode.STORAGE_FAILED, f"the output cannot be written: {error.strerror}") from error
    except av.FFmpegError as error:
        message = f"MP4 cannot carry the tracks of this file ({error.strerror}); convert it to MP4 with H.264 first"
        raise DubflowError(ErrorCode.UNSUPPORTED_MEDIA, message) from error


def movie_timescale(source: Source, selection: Selection, rate: int) -> int:
    """Ticks per second of the output's edit lists, fine enough for the dub's length and for every track's start.

    It is the dub's rate unless a track starts at a moment that this cannot express. A finer one makes 64-bit durations
    necessary sooner, which some players do not read.
    """
    origin = exact_start(source.container)
    scale = rate
    for stream in selection.played:
        if stream.time_base is not None and stream.start_time is not None:
            start = Fraction(stream.start_time * stream.time_base - origin)
            scale = math.lcm(scale, start.denominator)
    return scale if scale <= MOVIE_TIMESCALE_AT_MOST else rate


def _created(request: Request, source: Source, selection: Selection) -> OutputContainer:
    reencodes = selection.original is not None and not selection.copies_original
    dub_packets = request["samples"] // FRAME_SAMPLES + 2
    options = {
        "protocol_whitelist": "file",
        "strict": "unofficial",  # Dolby Vision's box is no part of the MP4 standard
        "write_tmcd": "0",  # a time code that does not fit the frame rate would fail the file
        "movie_timescale": str(movie_timescale(source, selection, request["rate"])),
        **index_options(source, selection.copied, None if reencodes else dub_packets),
    }
    if selection.picture is None:
        options["brand"] = "M4A "
    path = f"file:/proc/self/fd/{request['output']}"
    return av.open(path, "w", format="mp4", container_options=options)


def _picture_track(writer: PacketWriter, selection: Selection) -> Tracks:
    picture = selection.picture
    return {} if picture is None else {picture.index: CopiedTrack(writer, picture)}


def _dub_track(writer: PacketWriter, request: Request, channel: Channel) -> DubTrack:
    numbers = {name: request[name] for name in ("rate", "channels", "samples", "bit_rate")}
    dub = DubTrack(writer, channel, **numbers)
    dub.stream.disposition = Disposition.default | Disposition.dub
    dub.stream.metadata.update(language=request["language"], title=request["title"], handler_name=request["title"])
    return dub


def _original_track(writer: PacketWriter, request: Request, selection: Selection) -> Tracks:
    original = selection.original
    if original is None:
        return {}
    copied = selection.copies_original
    track = CopiedAudioTrack(writer, original) if copied else EncodedTrack(writer, original, request["max_seconds"])
    track.stream.disposition = Disposition.original
    track.stream.metadata.update(request["original_tags"])
    return {original.index: track}


def _extra_tracks(writer: PacketWriter, selection: Selection) -> Tracks:
    tracks: Tracks = {}
    for stream in selection.extras:
        tracks[stream.index] = CopiedTrack(writer, stream)
        tracks[stream.index].stream.disposition = stream.disposition
    return tracks


def _describe(output: OutputContainer, source: Source) -> None:
    tags = {k: v for k, v in source.container.metadata.items() if k.lower() not in CONTAINER_TAGS}
    output.metadata.update(tags)
    output.metadata["comment"] = "\n".join(filter(None, [tags.get("comment"), SYNTHETIC]))
    origin = exact_start(source.container)
    chapters = source.container.chapters()
    for chapter in chapters:
        shift = round(origin / chapter["time_base"]) if chapter["time_base"] else 0
        chapter["start"], chapter["end"] = max(0, chapter["start"] - shift), max(0, chapter["end"] - shift)
    if chapters:
        output.set_chapters(chapters)


def _pump(source: Source, tracks: Tracks, dub: DubTrack) -> None:
    """Pass all packets on in the source's order; the dub keeps a step ahead, so that the muxer never holds much."""
    streams = [source.container.streams[index] for index in tracks]
    seconds = {s.index: float(s.time_base or 0) for s in streams}
    for packet in PacketReader(source, streams):
        dub.advance((packet.dts or 0) * seconds[packet.stream_index])
        tracks[packet.stream_index].push(packet)
    for track in tracks.values():
        track.finish()
    dub.finish()
