from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.child.mixdown import Mixdown, Shape

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

TOLERANCE_SECONDS = 0.05
"""Timestamps that are off by less are jitter of the container; more is a gap or an overlap."""

CHANNELS = {"mono": 1, "stereo": 2, "3.0": 3, "4.0": 4, "5.0": 5, "5.1": 6, "7.1": 8}


class Timeline:
    """Decodes one audio track onto the source's clock: packed float32 whose first sample is t = 0.

    Silence fills the time before the track's start and gaps within it; what lies before t = 0 or overlaps what was
    already delivered is dropped. Contiguous audio passes the resampler in one run, so that nothing clicks.

    Args:
        track: The track; its packets must have been placed on the clock.
        rate: Samples per second to deliver, in Hz.
        layout: Channel layout to deliver.
        max_seconds: How long a track may be.
    """

    def __init__(self, track: AudioStream, rate: int, layout: str, max_seconds: float) -> None:
        self._context = track.codec_context
        base = track.time_base or Fraction(1, track.rate)
        self._numerator, self._denominator = base.numerator, base.denominator
        self._rate = rate
        self._layout = layout
        self._max_samples = round(max_seconds * rate)
        self._frame_bytes = 4 * CHANNELS[layout]
        self._silence = memoryview(bytes(rate * self._frame_bytes))
        self._mixdown: Mixdown | None = None
        self._expected = 0
        self._surplus = 0
        self.samples = 0
        self.silent_samples = 0
        self.corrupt_packets = 0

    def push(self, packet: "Packet[Stream]") -> Iterator[memoryview]:
        """Decode a packet; yields complete blocks of at most a second.

        Raises:
            DubflowError: TOO_LARGE once the track is longer than allowed.
        """
        yield from self._decode(packet, corrupt=packet.is_corrupt)

    def finish(self) -> Iterator[memoryview]:
        """Yields what the decoder and the resampler still hold."""
        yield from self._decode(None)
        yield from self._end_run()

    def _decode(self, packet: "Packet[Stream] | None", *, corrupt: bool = False) -> Iterator[memoryview]:
        frames: list[AudioFrame] = []
        try:
            frames = self._context.decode(packet)
        except av.MemoryError:
            raise
        except av.FFmpegError:
            corrupt = True
        self.corrupt_packets += corrupt
        for frame in frames:
            yield from self._take(frame)

    def _take(self, frame: AudioFrame) -> Iterator[memoryview]:
        mixdown, rate = self._mixdown, frame.sample_rate
        at = self._expected if frame.pts is None else frame.pts * self._numerator * rate // self._denominator
        off = abs(at - self._expected) > TOLERANCE_SECONDS * rate
        if mixdown is None or off or not mixdown.shape.fits(frame):
            yield from self._end_run()
            yield from self._fill_until(round(at * self._rate / rate))
            self._mixdown = mixdown = Mixdown(Shape.of(frame), self._rate, self._layout)
            self._expected = at
        self._expected += frame.samples
        for mixed in mixdown.push(frame):
            yield from self._deliver(mixed)

    def _fill_until(self, start: int) -> Iterator[memoryview]:
        self._surplus = max(0, self.samples - start)
        missing = max(0, start - self.samples)
        self._check_length(missing)
        self.silent_samples += missing
        self.samples += missing
        while missing:
            count = min(missing, self._rate)
            missing -= count
            yield self._silence[: count * self._frame_bytes]

    def _end_run(self) -> Iterator[memoryview]:
        if self._mixdown is not None:
            for mixed in self._mixdown.flush():
                yield from self._deliver(mixed)
            self._mixdown = None

    def _deliver(self, mixed: AudioFrame) -> Iterator[memoryview]:
        drop = min(self._surplus, mixed.samples)
        self._surplus -= drop
        count = mixed.samples - drop
        if count:
            self._check_length(count)
            self.samples += count
            # The plane may be padded beyond its samples.
            yield memoryview(mixed.planes[0])[drop * self._frame_bytes : mixed.samples * self._frame_bytes]

    def _check_length(self, more: int) -> None:
        if self.samples + more > self._max_samples:
            limit = self._max_samples / self._rate / 3600
            message = f"the audio is longer than the {limit:g} hours that are allowed; split the file"
            raise DubflowError(ErrorCode.TOO_LARGE, message)
