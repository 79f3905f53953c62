from fractions import Fraction
from typing import TYPE_CHECKING, cast

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from dataflow.media.allowlists import AAC_LAYOUTS, AAC_RATES
from dataflow.media.child.timeline import Timeline
from dataflow.media.child.writer import PacketWriter

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

BITS_PER_CHANNEL = 80_000
"""Bit rate of an original track that must be re-encoded."""


def as_buffer(samples: memoryview) -> bytes:
    """Samples for a plane of a frame: PyAV takes any buffer there, which its type hints do not say."""
    return cast("bytes", samples)


class EncodedTrack:
    """An original track in a codec that MP4 cannot carry, re-encoded to AAC on the source's clock.

    Args:
        writer: The file to write; its header must not have been written.
        template: The track to re-encode.
        max_seconds: How long it may be.
    """

    def __init__(self, writer: PacketWriter, template: AudioStream, max_seconds: float) -> None:
        self._rate = template.rate if template.rate in AAC_RATES else 48_000
        name = template.layout.name
        self._layout = name if name in AAC_LAYOUTS else "mono" if template.channels == 1 else "stereo"
        self.stream = writer.container.add_stream("aac", self._rate, layout=self._layout)
        self.stream.bit_rate = BITS_PER_CHANNEL * self.stream.channels
        self.stream.metadata.update(template.metadata)
        self._writer = writer
        self._timeline = Timeline(template, self._rate, self._layout, max_seconds)
        self._pts = 0

    def push(self, packet: "Packet[Stream]") -> None:
        """Re-encode a packet that was placed on the source's clock."""
        for block in self._timeline.push(packet):
            self._encode(block)

    def finish(self) -> None:
        """Encode what is left."""
        for block in self._timeline.finish():
            self._encode(block)
        self._writer.write(self.stream.encode(None))

    def _encode(self, block: memoryview) -> None:
        frame = AudioFrame("flt", self._layout, len(block) // (4 * self.stream.channels))
        frame.planes[0].update(as_buffer(block))
        frame.rate, frame.pts, frame.time_base = self._rate, self._pts, Fraction(1, self._rate)
        self._pts += frame.samples
        self._writer.write(self.stream.encode(frame))
