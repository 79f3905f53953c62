from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import av
from av.stream import Discard, Stream

from dataflow.media.child.clock import SourceClock
from dataflow.media.child.source import Source

if TYPE_CHECKING:
    from av.packet import Packet


class PacketReader:
    """The packets of some streams of a source, placed on its clock, up to the end or to damage that stops the demuxer.

    Args:
        source: The source; streams that are not read are skipped by the demuxer.
        streams: What to read.
    """

    def __init__(self, source: Source, streams: Sequence[Stream]) -> None:
        self._container = source.container
        self._streams = streams
        self._ends: dict[int, int] = {}
        self.broke_off = False
        for stream in source.container.streams:
            stream.discard = Discard.default if stream in streams else Discard.all

    def __iter__(self) -> "Iterator[Packet[Stream]]":
        clock = SourceClock(self._container, [s for s in self._streams if s.type in {"audio", "video"}])
        try:
            for packet in self._container.demux(*self._streams):
                if packet.size:  # empty ones only mark the end
                    clock.place(packet)
                    self._ends[packet.stream_index] = (packet.dts or 0) + (packet.duration or 0)
                    yield packet
        except av.MemoryError:
            raise
        except av.FFmpegError:
            self.broke_off = True

    @property
    def end(self) -> float:
        """Where the last packets that were read end, in seconds on the source's clock."""
        return max((float(self._ends.get(s.index, 0) * (s.time_base or 0)) for s in self._streams), default=0.0)
