"""Where each take plays and how fast: on one sample clock, at its own time, never over another speaker.

The order of means follows what listeners notice least: the free range of rates, silence borrowed after and before the
line, then the wider ranges; what still does not fit starts the next line a little late, and the lateness is won back at
the next silence. Limits: comprehension suffers beyond about 20 % compression (Janse 2003 and later listener studies).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from actors.contracts.audio import Span

FREE_RATE = 1.15
"""Speeding up to this is not noticed."""
SOFT_RATE = 1.2
HARD_RATE = 1.3
"""Nothing is spoken faster than this, except a last line that would otherwise be cut off by the end of the source."""
SLOWEST_RATE = 0.9
"""Short lines are slowed down to this to fill their slot."""

BORROW_AFTER = 1.5
"""Seconds of silence that a line may use after its slot."""
BORROW_BEFORE = 0.4
"""Seconds before its slot: people accept a voice that trails the lips better than one that leads them."""
GUARD = 0.05
"""Seconds that stay free between the borrowed silence and a neighbour's line."""
MAX_LATE = 2.0
"""Seconds by which an overflow may delay the next line. Beyond, speech that never pauses would drift for ever."""


@dataclass(frozen=True, slots=True)
class Line:
    """A take to place: its speaker, its slot on the source's clock and its length at the voice's natural rate."""

    speaker: str
    slot: Span
    natural_seconds: float


@dataclass(frozen=True, slots=True)
class Placement:
    """When a take plays. `rate` is relative to the voice's natural one; `overflow` tells that it outruns its window."""

    start: float
    seconds: float
    rate: float
    overflow: bool

    @property
    def end(self) -> float:
        """When it ends."""
        return self.start + self.seconds


def windows(lines: Sequence[Line], total_seconds: float) -> list[Span]:
    """The time that each line may use: its slot and silence borrowed on both sides, up to its neighbours' slots.

    Args:
        lines: Sorted by slot start. Slots may overlap where people talked at once; such neighbours set no limit.
        total_seconds: Length of the source.
    """
    starts = [line.slot.start for line in lines]
    ends = sorted(line.slot.end for line in lines)
    return [_window(line.slot, starts, ends, total_seconds) for line in lines]


def _window(slot: Span, starts: list[float], ends: list[float], total_seconds: float) -> Span:
    following = bisect_left(starts, slot.end)
    silence_to = starts[following] - GUARD if following < len(starts) else inf
    preceding = bisect_right(ends, slot.start) - 1
    silence_from = ends[preceding] + GUARD if preceding >= 0 else 0.0
    return Span(
        min(slot.start, max(slot.start - BORROW_BEFORE, silence_from)),
        max(slot.end, min(slot.end + BORROW_AFTER, silence_to, total_seconds)),
    )


def rate_for(natural_seconds: float, slot: Span, window: Span) -> float:
    """The rate at which a line of that natural length suits its slot and window, from the slowest to the hard one."""
    if natural_seconds <= slot.seconds:
        return max(SLOWEST_RATE, natural_seconds / slot.seconds)
    for limit in (FREE_RATE, SOFT_RATE, HARD_RATE):
        if natural_seconds <= limit * window.seconds:
            return min(limit, natural_seconds / slot.seconds) if slot.seconds > 0 else limit
    return HARD_RATE


def place(lines: Sequence[Line], total_seconds: float) -> list[Placement]:
    """Place every take.

    Args:
        lines: Sorted by slot start.
        total_seconds: Length of the source.

    Returns:
        A placement a line, in order. Takes never overlap unless their slots do; an overflow delays what follows, by
        `MAX_LATE` at most. Nothing ends after the source.
    """
    placements: list[Placement] = []
    sounding: list[int] = []
    for i, (line, window) in enumerate(zip(lines, windows(lines, total_seconds), strict=True)):
        sounding = [j for j in sounding if placements[j].end > line.slot.start - BORROW_BEFORE]
        placements.append(_place_one(line, window, _free_from(lines, placements, sounding, line), total_seconds))
        sounding.append(i)
    return placements


def _free_from(lines: Sequence[Line], placements: Sequence[Placement], sounding: Sequence[int], line: Line) -> float:
    """When all that was placed before, and was not said at the same time in the source, is over."""
    before = (j for j in sounding if lines[j].speaker == line.speaker or lines[j].slot.overlap(line.slot) == 0)
    return min(max((placements[j].end for j in before), default=0.0), line.slot.start + MAX_LATE)


def _place_one(line: Line, window: Span, free_from: float, total_seconds: float) -> Placement:
    start = max(line.slot.start, free_from)
    reach = Span(min(start, max(window.start, free_from)), max(start, window.end))
    rate = rate_for(line.natural_seconds, Span(start, max(start, line.slot.end)), reach)
    seconds = line.natural_seconds / rate
    placed = Placement(max(reach.start, min(start, reach.end - seconds)), seconds, rate, overflow=False)
    placed = replace(placed, overflow=placed.end > reach.end + _TOLERANCE)
    return _within(placed, free_from, total_seconds) if placed.end > total_seconds else placed


def _within(placed: Placement, free_from: float, total_seconds: float) -> Placement:
    """Move a take that would outlast the source to an earlier start, and only then speak faster."""
    start = max(0.0, min(placed.start, max(free_from, total_seconds - placed.seconds)))
    seconds = min(placed.seconds, max(total_seconds - start, _TOLERANCE))
    return Placement(start, seconds, placed.rate * placed.seconds / seconds, overflow=True)


_TOLERANCE = 1e-6
"""Seconds; far below a sample."""
