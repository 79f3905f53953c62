"""What is heard under the dub: the original at a level, or as it was, or what is left of it without its voices."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]
"""Shape (n, channels)."""

Edges = tuple[float, float]
"""A first and a last moment, in samples; they may lie between two."""

CROSSFADE_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples `first` up to, but not including, `last`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A stretch of the source without its voices.

    Attributes:
        first: Sample of the track at which its sound begins.
        heard: Where it takes the original's place; half a crossfade before and after it is heard as well.
        load: Gives its sound when its time has come, shape (n, channels).
    """

    first: int
    heard: Stretch
    load: Callable[[], Block]


class Bed:
    """The original under the dub: at `level` all the time, but for what is kept and for where there is a background.

    What follows is faded into what was before it, and the shares of all three are 1 at every sample: music that is in
    all of them plays on as if there were but one. No more than the backgrounds of one moment are in memory.

    Args:
        blocks: The original from sample 0 on, shape (n, channels), any sizes; silence follows after its end.
        level: Linear gain where the dub speaks.
        kept: Where the original is at full level; sorted and disjoint. It goes before backgrounds.
        rate: Hz, for the length of the crossfades.
        backgrounds: Sorted, their `heard` disjoint.
    """

    def __init__(
        self,
        blocks: Iterable[Block],
        level: float,
        kept: Sequence[Stretch],
        rate: int,
        backgrounds: Sequence[Background] = (),
    ) -> None:
        self._blocks = iter(blocks)
        self._level = level
        self._fade = max(1, round(CROSSFADE_SECONDS * rate))
        # Full level within all of a kept stretch: its crossfades lie outside of it.
        self._kept = _joined((one.first - self._fade / 2, one.last + self._fade / 2) for one in kept)
        self._backgrounds = [(one, _left(one.heard, self._kept)) for one in backgrounds]
        self._playing: dict[int, Block] = {}
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
        heard = self._heard(joined[:n])
        self._clock += n
        return heard

    def _heard(self, original: Block) -> Block:
        clock = np.arange(self._clock, self._clock + len(original))
        kept = self._share(self._kept, clock)
        replaced = np.zeros_like(original)
        given = np.zeros(len(original))
        for i, (background, left) in enumerate(self._backgrounds):
            if not self._sounding(left, len(original)):
                self._playing.pop(i, None)
                continue
            if i not in self._playing:
                self._playing[i] = background.load()
            share = self._share(left, clock)
            _add(replaced, self._playing[i], share, background.first - self._clock)
            given += share
        gain = kept + self._level * (1 - kept - given)
        return (gain[:, None] * original + replaced).astype(np.float32)

    def _share(self, spans: Sequence[Edges], clock: NDArray[np.int64]) -> NDArray[np.float64]:
        """How much of the crossfade around each sample the spans take: 0 to 1, and 1 for what parts time together."""
        half = self._fade / 2
        share = np.zeros(len(clock))
        for first, last in self._sounding(spans, len(clock)):
            share += np.clip(np.minimum(last, clock + half) - np.maximum(first, clock - half), 0, None)
        return share / self._fade

    def _sounding(self, spans: Sequence[Edges], n: int) -> list[Edges]:
        """Those that are heard in the next n samples."""
        start, end = self._clock - self._fade / 2, self._clock + n + self._fade / 2
        return [(first, last) for first, last in spans if last > start and first < end]


def _joined(spans: Iterable[Edges]) -> list[Edges]:
    """The same time, sorted and disjoint."""
    joined: list[Edges] = []
    for first, last in spans:
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def _left(heard: Stretch, kept: Sequence[Edges]) -> list[Edges]:
    """What kept spans leave of a stretch."""
    inside = [(max(first, heard.first), min(last, heard.last)) for first, last in kept]
    edges = [(heard.first, heard.first), *((a, b) for a, b in inside if a < b), (heard.last, heard.last)]
    return [(end, start) for (_, end), (start, _) in pairwise(edges) if end < start]


def _add(block: Block, sound: Block, share: NDArray[np.float64], at: int) -> None:
    """Add what overlaps, by its share; `at` is where the sound begins relative to the block."""
    first, last = max(0, at), min(len(block), at + len(sound))
    if last > first:
        block[first:last] += share[first:last, None] * sound[first - at : last - at]


def as_blocks(decoded: Iterable[NDArray[np.float32]]) -> Iterator[Block]:
    """Decoded audio with its channels always in a second dimension."""
    for samples in decoded:
        yield samples.reshape(len(samples), -1)
