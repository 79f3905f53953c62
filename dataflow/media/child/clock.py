"""The source's clock: the one place that decides what time a packet has.

t = 0 is the container's `start_time`, the earliest moment that any of its tracks plays, after edit lists. Decoding and
muxing both place packets on this clock and nowhere else, so that a dub lies where the speech was. It is the clock that
FFmpeg's own command line uses.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING

from av.container import InputContainer
from av.stream import Stream

if TYPE_CHECKING:
    from av.packet import Packet

DISCONTINUOUS = frozenset({"mpegts", "mpeg", "ogg"})
"""Containers whose clock may start anew in the middle, as broadcasts and concatenated files do."""

JUMP_SECONDS = 10.0
"""A packet so far from where any track continues is such a new start (FFmpeg's program takes the same)."""


class SourceClock:
    """Moves packets onto the source's clock.

    Args:
        container: The source.
        streams: The picture and audio streams whose packets will be placed, at least one.
    """

    def __init__(self, container: InputContainer, streams: Iterable[Stream]) -> None:
        self._bases = {s.index: s.time_base or Fraction(1, 1_000_000) for s in container.streams}
        self._origin = exact_start(container)
        self._shifts = self._shifts_for(self._origin)
        self._bridging = container.format.name in DISCONTINUOUS
        self._leading = {s.index for s in streams}
        # Floats serve to compare; what is added up stays exact.
        self._tick_seconds = {index: float(base) for index, base in self._bases.items()}
        self._next: dict[int, float] = {}

    def place(self, packet: "Packet[Stream]") -> None:
        """Rewrite a packet's timestamps, in its own time base, as time since t = 0."""
        index = packet.stream_index
        if self._bridging and index in self._leading and packet.dts is not None:
            self._bridge(index, packet.dts, packet.duration or 0)
        if shift := self._shifts[index]:
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = None if packet.dts is None else packet.dts - shift

    def _bridge(self, index: int, dts: int, duration: int) -> None:
        placed = dts - self._shifts[index]
        seconds = placed * self._tick_seconds[index]
        # A track that pauses is no new start, as others have moved on; nor is a packet that was written late.
        if self._next and all(abs(seconds - moment) > JUMP_SECONDS for moment in self._next.values()):
            expected = round(self._next.get(index, max(self._next.values())) / self._tick_seconds[index])
            self._origin += (placed - expected) * self._bases[index]
            self._shifts = self._shifts_for(self._origin)
            placed = expected
        self._next[index] = (placed + duration) * self._tick_seconds[index]

    def _shifts_for(self, origin: Fraction) -> dict[int, int]:
        return {index: round(origin / base) for index, base in self._bases.items()}


def exact_start(container: InputContainer) -> Fraction:
    """The container's `start_time` in seconds, which FFmpeg rounds to microseconds, as its stream states it."""
    rounded = Fraction(container.start_time or 0, 1_000_000)
    starts = (s.start_time * s.time_base for s in container.streams if s.start_time is not None and s.time_base)
    return min((s for s in starts if abs(s - rounded) < Fraction(1, 1_000_000)), default=rounded)
