"""Stretches of speech as a recogniser likes them: whole phrases with some silence around, but not too long."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from actors.contracts.audio import Clip, Span

_FRAME_SECONDS = 0.02
_SMOOTHING_FRAMES = 7
"""Quietness is judged over 0.14 s, so that a stop consonant is not taken for a pause."""


@dataclass(frozen=True, slots=True)
class ChunkRules:
    """How spans of speech become chunks.

    Attributes:
        join: Spans with a shorter gap than this many seconds belong to one phrase.
        padding: Seconds added on both sides, at most half of the gap to the neighbour.
        longest: Longer chunks are split at their quietest point.
        shortest: No split leaves less than this.
    """

    join: float = 0.4
    padding: float = 0.15
    longest: float = 20.0
    shortest: float = 3.0

    def __post_init__(self) -> None:
        if not 0 < 2 * self.shortest <= self.longest:
            raise ValueError(f"a chunk must be splittable: shortest {self.shortest} s, longest {self.longest} s")


def chunks(clip: Clip, speech: Sequence[Span], rules: ChunkRules) -> tuple[Span, ...]:
    """The stretches of a clip to recognise, sorted and disjoint, on the source's clock."""
    phrases = _padded(_joined(speech, rules.join), clip.span, rules.padding)
    return tuple(part for phrase in phrases for part in _split(clip, phrase, rules))


def _joined(speech: Sequence[Span], gap: float) -> list[Span]:
    joined: list[Span] = []
    for span in speech:
        if joined and span.start - joined[-1].end < gap:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def _padded(spans: Sequence[Span], within: Span, padding: float) -> Iterator[Span]:
    gaps = [(b.start - a.end) / 2 for a, b in pairwise(spans)]
    for span, before, after in zip(spans, [padding, *gaps], [*gaps, padding], strict=False):
        start = max(within.start, span.start - min(padding, before))
        end = min(within.end, span.end + min(padding, after))
        if end > start:
            yield Span(start, end)


def _split(clip: Clip, span: Span, rules: ChunkRules) -> Iterator[Span]:
    if span.seconds <= rules.longest:
        yield span
        return
    inner = Span(span.start + rules.shortest, min(span.end - rules.shortest, span.start + rules.longest))
    point = _quietest(clip.cut(inner))
    yield Span(span.start, point)
    yield from _split(clip, Span(point, span.end), rules)


def _quietest(clip: Clip) -> float:
    """The time, on the source's clock, around which a clip is quietest; the last one of several."""
    size = round(_FRAME_SECONDS * clip.rate)
    frames = clip.samples[: len(clip.samples) // size * size].reshape(-1, size)
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    smooth = np.convolve(power, np.ones(_SMOOTHING_FRAMES), "valid")
    last = len(smooth) - 1 - int(smooth[::-1].argmin())
    return clip.start + (last + _SMOOTHING_FRAMES / 2) * _FRAME_SECONDS
