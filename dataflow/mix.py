"""The dubbed track as a stream of blocks: every take at its own sample, the original under or between them.

Nothing is averaged: takes and the original are added at their own gains, so a second voice never lowers the first.
Memory holds the takes that sound at the moment and nothing else, however long the film is.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from actors.contracts.audio import Samples
from dataflow.bed import Bed, Block


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A take on the track's sample clock; `load` gives its mono samples at the track's rate when its time has come."""

    start: int
    samples: int
    load: Callable[[], Samples]


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
