from fractions import Fraction
from typing import TYPE_CHECKING

from av.audio.stream import AudioStream
from av.stream import Stream

from dataflow.media.child.source import codec_name
from dataflow.media.child.writer import PacketWriter

if TYPE_CHECKING:
    from av.packet import Packet

HELD_AT_MOST = 1_024
"""Packets that wait for one that tells what to do with them; several groups of pictures fit."""


class CopiedTrack:
    """Copies packets as they are; what cannot be copied is only a timestamp that MP4 forbids.

    Args:
        writer: The file to write; its header must not have been written.
        template: The stream to copy, with its side data: rotation, colour, HDR, aspect ratio.
    """

    def __init__(self, writer: PacketWriter, template: Stream) -> None:
        self.stream = writer.container.add_stream_from_template(template, opaque=True)
        self.stream.metadata.update(template.metadata)
        if codec_name(template) == "hevc":
            self.stream.codec_context.codec_tag = "hvc1"  # the only tag that Apple's players accept
        self._writer = writer
        self._held: list[Packet[Stream]] = []
        self._last: int | None = None
        self._base = template.time_base or Fraction(1, 1_000_000)
        self._end = 0
        self.packets = 0

    @property
    def end(self) -> float:
        """When the last packet ends, in seconds on the source's clock."""
        return float(self._end * self._base)

    def push(self, packet: "Packet[Stream]") -> None:
        """Copy a packet that was placed on the source's clock."""
        if packet.pts is None:
            packet.pts = packet.dts
        undated = packet.dts is None and self._last is None
        # What an edit list hides after the start is needed only where something shown refers to it.
        hidden = packet.is_discard and packet.pts is not None and packet.pts >= 0
        self._held.append(packet)
        if len(self._held) > HELD_AT_MOST or not (undated or hidden):
            self._release()

    def finish(self) -> None:
        """Copy what was held back and is to be shown."""
        self._held = [p for p in self._held if not p.is_discard]
        self._release()

    def _release(self) -> None:
        self._date_held()
        for packet in self._held:
            self._write(packet)
        self._held.clear()

    def _date_held(self) -> None:
        """Give decoding times to the packets before the first that has one: as far apart as they last."""
        undated = [p for p in self._held if p.dts is None]
        if not undated or self._last is not None:
            return
        dated = [p.dts for p in self._held if p.dts is not None]
        shown = [p.pts for p in undated if p.pts is not None]
        if not dated and shown == sorted(shown):
            for packet in undated:
                packet.dts = packet.pts
            return
        following = min([*dated, *shown], default=0)
        step = max(1, undated[0].duration or 1)
        for count, packet in enumerate(reversed(undated), start=1):
            packet.dts = following - count * step

    def _write(self, packet: "Packet[Stream]") -> None:
        packet.stream = self.stream
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None:
            dts = 0 if self._last is None else self._last + 1
        pts = packet.pts if packet.pts is not None else dts
        dts = min(dts, pts)
        if self._last is not None and dts <= self._last:
            dts = self._last + 1
        packet.dts, packet.pts = dts, max(pts, dts)
        self._last = dts
        self.packets += 1
        self._end = max(self._end, packet.pts + (packet.duration or 0))
        self._writer.write([packet])


class CopiedAudioTrack(CopiedTrack):
    """Copies audio packets in time with their samples.

    MP4 counts audio in samples. Coarser timestamps, such as Matroska's milliseconds, become those of whole frames.
    """

    def __init__(self, writer: PacketWriter, template: AudioStream) -> None:
        super().__init__(writer, template)
        self._rate = template.codec_context.sample_rate
        self._frame = template.codec_context.frame_size
        self._exact = template.time_base == Fraction(1, self._rate)
        self._base = Fraction(1, self._rate)
        self._expected: int | None = None

    def push(self, packet: "Packet[Stream]") -> None:
        """Copy a packet that was placed on the source's clock."""
        if not self._exact and packet.pts is not None:
            tick = packet.time_base * self._rate
            at = round(packet.pts * tick)
            if self._expected is not None and abs(at - self._expected) <= max(Fraction(1), tick):
                at = self._expected
            packet.pts = packet.dts = at
            packet.duration = self._frame or round((packet.duration or 0) * tick)
            packet.time_base = self._base
            self._expected = at + packet.duration
        super().push(packet)
