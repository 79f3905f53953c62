from fractions import Fraction

from av.audio.frame import AudioFrame

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.child.channel import Channel
from dataflow.media.child.encoded import as_buffer
from dataflow.media.child.writer import PacketWriter

FRAME_SAMPLES = 1024
"""Samples of an AAC-LC frame (ISO/IEC 14496-3)."""


class DubTrack:
    """The dub, encoded to AAC while its samples arrive.

    AAC comes in frames of 1,024 samples, and FFmpeg's readers play a last frame to its end. Silence before the first
    sample makes the frames come out even; like the encoder's own delay it lies before t = 0, where the edit list hides
    it. Hence the track decodes to exactly the samples that were given.

    Args:
        writer: The file to write; its header must not have been written.
        channel: Where the samples arrive from.
        rate: Samples per second in Hz.
        channels: 1 or 2.
        samples: How many will arrive.
        bit_rate: In bit/s.
    """

    def __init__(
        self, writer: PacketWriter, channel: Channel, *, rate: int, channels: int, samples: int, bit_rate: int
    ) -> None:
        self._layout = "mono" if channels == 1 else "stereo"
        self.stream = writer.container.add_stream("aac", rate, layout=self._layout)
        self.stream.bit_rate = bit_rate
        self._writer = writer
        self._channel = channel
        self._rate = rate
        self._channels = channels
        self._samples = samples
        self._taken = 0
        self._ended = False
        self._padding = -samples % FRAME_SAMPLES

    def advance(self, seconds: float) -> None:
        """Encode what plays before a moment, waiting for it to arrive."""
        while not self._ended and self._taken < seconds * self._rate:
            self._take()

    def finish(self) -> None:
        """Encode the rest.

        Raises:
            DubflowError: INTERNAL where not as many samples arrived as were announced.
        """
        while not self._ended:
            self._take()
        if self._taken != self._samples:
            message = f"a dub of {self._samples} samples was announced, {self._taken} arrived"
            raise DubflowError(ErrorCode.INTERNAL, message)

    def _take(self) -> None:
        if self._padding:
            self._encode(memoryview(bytes(4 * self._channels * self._padding)), -self._padding)
            self._padding = 0
        block = self._channel.receive_pcm()
        if block is None:
            self._ended = True
            self._writer.write(self.stream.encode(None))
            return
        at = self._taken
        self._taken += len(block) // (4 * self._channels)
        self._encode(memoryview(block), at)

    def _encode(self, planes: memoryview, pts: int) -> None:
        samples = len(planes) // (4 * self._channels)
        frame = AudioFrame("fltp", self._layout, samples)
        for index, plane in enumerate(frame.planes):
            plane.update(as_buffer(planes[4 * samples * index : 4 * samples * (index + 1)]))
        frame.rate, frame.pts, frame.time_base = self._rate, pts, Fraction(1, self._rate)
        self._writer.write(self.stream.encode(frame))
