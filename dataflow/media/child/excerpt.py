from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from av.stream import Stream

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.child.channel import Channel, Request
from dataflow.media.child.clock import DISCONTINUOUS, exact_start
from dataflow.media.child.copied import CopiedAudioTrack, CopiedTrack
from dataflow.media.child.encoded import EncodedTrack
from dataflow.media.child.mux import CONTAINER_TAGS, storage_errors
from dataflow.media.child.reader import PacketReader
from dataflow.media.child.selection import Selection
from dataflow.media.child.source import Source, opened
from dataflow.media.child.writer import PacketWriter

if TYPE_CHECKING:
    from av.packet import Packet

KEY_FRAME_WITHIN = 10.0
"""Seconds in which broadcasts show another key frame."""

SOUND_BEFORE = 0.1
"""Seconds of sound before the start that are copied, unheard: decoders need the frame before the first one."""

Tracks = dict[int, CopiedTrack | EncodedTrack]


def run(request: Request, channel: Channel) -> dict[str, Any]:  # noqa: ARG001 - all tasks are called alike
    """Copy a stretch of a file: says how long what is shown of it lasts, in `seconds`.

    Nothing is encoded that MP4 can carry. The picture is copied from the key frame before the start on, and an edit
    list hides what lies before the start.

    Raises:
        DubflowError: INVALID_REQUEST where the file ends before the start; UNSUPPORTED_MEDIA, TRUNCATED_MEDIA,
            MEDIA_LIMIT, DISK_FULL or STORAGE_FAILED.
    """
    with opened(request) as source, storage_errors():
        selection = _selection(source, request)
        writer = PacketWriter(_created(request, source, selection))
        tracks = _tracks(writer, selection, request)
        excerpt = Excerpt(request["start"], request["seconds"], selection.played)
        if request["start"]:
            _seek(source, selection, request["start"])
        for packet in excerpt.of(PacketReader(source, selection.played)):
            tracks[packet.stream_index].push(packet)
        if not excerpt.end:
            message = f"the file ends before {request['start']:g} s; begin earlier"
            raise DubflowError(ErrorCode.INVALID_REQUEST, message)
        for track in tracks.values():
            track.finish()
        writer.container.close()
        return {"seconds": excerpt.end}


class Excerpt:
    """Picks the packets of a stretch, and moves them so that the stretch begins at 0.

    Args:
        start: Seconds on the source's clock.
        seconds: Length; None for all that follows.
        streams: What is played.
    """

    def __init__(self, start: float, seconds: float | None, streams: Iterable[Stream]) -> None:
        self._seconds = seconds
        self._bases = {s.index: s.time_base or Fraction(1, 1_000_000) for s in streams}
        self._shifts = {index: round(Fraction(start) / base) for index, base in self._bases.items()}
        self._pictures = {s.index for s in streams if s.type == "video"}
        self._leading: list[Packet[Stream]] = []
        self._decodable = False
        self.end = 0.0

    def of(self, packets: "Iterable[Packet[Stream]]") -> "Iterator[Packet[Stream]]":
        """The packets that are needed, until every track is past the end."""
        playing = set(self._bases)
        for packet in packets:
            index = packet.stream_index
            self._move(packet, self._shifts[index])
            decoded = float((packet.dts if packet.dts is not None else packet.pts or 0) * self._bases[index])
            if self._seconds is None or decoded < self._seconds:
                yield from self._picture(packet) if index in self._pictures else self._sound(packet)
                continue
            playing.discard(index)
            if not playing:
                break
        yield from self._lead()

    def _sound(self, packet: "Packet[Stream]") -> "Iterator[Packet[Stream]]":
        if self._plays_until(packet) > -SOUND_BEFORE:
            self._extend(packet)
            yield packet

    def _picture(self, packet: "Packet[Stream]") -> "Iterator[Packet[Stream]]":
        """Hold back what lies before the start: only what follows the last key frame there is needed."""
        before = (packet.pts if packet.pts is not None else packet.dts or 0) <= 0
        if packet.is_keyframe and before:
            self._leading.clear()
        if not packet.is_keyframe and not self._decodable:
            return
        self._decodable = True
        self._extend(packet)
        if before:
            self._leading.append(packet)
        else:
            yield from self._lead()
            yield packet

    def _lead(self) -> "Iterator[Packet[Stream]]":
        yield from self._leading
        self._leading = []

    def _extend(self, packet: "Packet[Stream]") -> None:
        end = self._plays_until(packet)
        self.end = max(self.end, end if self._seconds is None else min(end, self._seconds))

    def _plays_until(self, packet: "Packet[Stream]") -> float:
        shown = packet.pts if packet.pts is not None else packet.dts or 0
        return float((shown + (packet.duration or 0)) * self._bases[packet.stream_index])

    @staticmethod
    def _move(packet: "Packet[Stream]", shift: int) -> None:
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts = None if packet.dts is None else packet.dts - shift


def _selection(source: Source, request: Request) -> Selection:
    selection = replace(Selection.of(source, request["track"]), extras=())
    selection = selection if request["picture"] else replace(selection, picture=None)
    if not selection.played:
        raise DubflowError(ErrorCode.NO_AUDIO, "the file has no audio track")
    return selection


def _created(request: Request, source: Source, selection: Selection) -> av.container.OutputContainer:
    options = {
        "protocol_whitelist": "file",
        "strict": "unofficial",
        "write_tmcd": "0",
        "movflags": "+faststart",
        "movie_timescale": "48000",
    }
    if selection.picture is None:
        options["brand"] = "M4A "
    output = av.open(f"file:/proc/self/fd/{request['output']}", "w", format="mp4", container_options=options)
    output.metadata.update({k: v for k, v in source.container.metadata.items() if k.lower() not in CONTAINER_TAGS})
    return output


def _tracks(writer: PacketWriter, selection: Selection, request: Request) -> Tracks:
    tracks: Tracks = {}
    if selection.picture is not None:
        tracks[selection.picture.index] = CopiedTrack(writer, selection.picture)
    if selection.original is not None:
        track = selection.original
        copied = selection.copies_original
        tracks[track.index] = (
            CopiedAudioTrack(writer, track) if copied else EncodedTrack(writer, track, request["max_seconds"])
        )
    return tracks


def _seek(source: Source, selection: Selection, start: float) -> None:
    leading = selection.played[0]
    base = leading.time_base or Fraction(1, 1_000_000)
    # Where there is no index, a seek ends anywhere before the moment: the key frame may lie before that.
    early = KEY_FRAME_WITHIN if source.container.format.name in DISCONTINUOUS else 0
    moment = Fraction(max(0.0, start - early)) + exact_start(source.container)
    try:
        source.container.seek(round(moment / base), stream=leading)
    except av.MemoryError:
        raise
    except av.FFmpegError as error:
        message = f"the file ends before {start:g} s, or nothing tells where that is; begin earlier"
        raise DubflowError(ErrorCode.INVALID_REQUEST, message) from error
