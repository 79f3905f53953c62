"""The dubbed track as a stream of blocks: every take at its own sample, the original under or between them.

Nothing is averaged: takes and the original are added at their own gains, so a second voice never lowers the first.
Memory holds the takes that sound at the moment and nothing else, however long the film is.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actors.contracts.audio import Samples

Block = NDArray[np.float32]
"""Shape (n, channels)."""

CROSSFADE_SECONDS = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A take on the track's sample clock; `load` gives its mono samples at the track's rate when its time has come."""

    start: int
    samples: int
    load: Callable[[], Samples]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples `first` up to, but not including, `last`."""

    first: int
    last: int


class Bed:
    """The original under the dub: at `level` all the time, at full level within the stretches that are kept.

    Args:
        blocks: The original from sample 0 on, shape (n, channels), any sizes; silence follows after its end.
        level: Linear gain where the dub speaks.
        kept: Sorted and disjoint.
        rate: Hz, for the length of the crossfades.
    """

    def __init__(self, blocks: Iterable[Block], level: float, kept: Sequence[Stretch], rate: int) -> None:
        self._blocks = iter(blocks)
        self._level = level
        self._kept = tuple(kept)
        self._fade = max(1, round(CROSSFADE_SECONDS * rate))
        self._clock = 0
        self._ready: list[Block] = []

    def take(self, n: int) -> Block | None:
        """The next n samples; None once the original is over."""
        gathered = sum(len(block) for block in self._ready)
        while gathered < n and (block := next(self._blocks, None)) is not None:
            self._ready.append(block)
            gathered += len(block)
        if not gathered:
            return None
        joined = np.concatenate(self._ready)
        self._ready = [joined[n:]] if len(joined) > n else []
        heard = joined[:n] * self._gain(len(joined[:n]))[:, None]
        self._clock += n
        return heard

    def _gain(self, n: int) -> Samples:
        clock = np.arange(self._clock, self._clock + n)
        kept = np.zeros(n)
        for stretch in self._kept:
            if stretch.last + self._fade < self._clock or stretch.first - self._fade > self._clock + n:
                continue
            rising = (clock - stretch.first) / self._fade + 1
            falling = (stretch.last - clock) / self._fade + 1
            kept = np.maximum(kept, np.clip(np.minimum(rising, falling), 0, 1))
        return (self._level + (1 - self._level) * kept).astype(np.float32)


def mix(
    pieces: Iterable[Piece], total: int, *, channels: int, block: int, bed: Bed | None = None, gain: float = 1.0
) -> Iterator[Block]:
    """The track, `total` samples in all, in blocks of shape (n, channels).

    Args:
        pieces: Sorted by start.
        total: Length of the track in samples.
        channels: Takes are the same on all of them.
        block: Samples a block.
        bed: The original, where it is heard.
        gain: Linear gain of the whole.
    """
    waiting = iter(pieces)
    following = next(waiting, None)
    sounding: list[tuple[int, Samples]] = []
    for clock in range(0, total, block):
        n = min(block, total - clock)
        while following is not None and following.start < clock + n:
            sounding.append((following.start, following.load()))
            following = next(waiting, None)
        track = np.zeros((n, channels), np.float32)
        for start, samples in sounding:
            _add(track, samples, start - clock)
        original = bed.take(n) if bed else None
        if original is not None:
            track[: len(original)] += original
        yield track * np.float32(gain)
        sounding = [(start, samples) for start, samples in sounding if start + len(samples) > clock + n]


def _add(track: Block, samples: Samples, at: int) -> None:
    """Add what overlaps; `at` is where the samples begin relative to the track's block."""
    first, last = max(0, at), min(len(track), at + len(samples))
    if last > first:
        track[first:last] += samples[first - at : last - at, None]
