from collections.abc import Sequence
from dataclasses import dataclass

from dataflow.records import Utterance

PASSAGE_SECONDS = 60.0
"""Speech of one passage: a few seconds of work for a pool, and enough context for a translator."""
PASSAGE_LINES = 24
LONG_PAUSE_SECONDS = 1.5
"""A passage of more than half the length ends at such a pause."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Utterances `first` up to, but not including, `last` of a script."""

    index: int
    first: int
    last: int


def cut_into_passages(utterances: Sequence[Utterance]) -> tuple[Passage, ...]:
    """All utterances in order; without any one empty passage, so that every language has something to close."""
    bounds = [0]
    seconds = 0.0
    for i, utterance in enumerate(utterances):
        if i > bounds[-1] and _full(utterances, bounds[-1], i, seconds):
            bounds.append(i)
            seconds = 0.0
        seconds += utterance.span.seconds
    bounds.append(len(utterances))
    return tuple(Passage(index, bounds[index], bounds[index + 1]) for index in range(len(bounds) - 1))


def _full(utterances: Sequence[Utterance], first: int, i: int, seconds: float) -> bool:
    pause = utterances[i].start - utterances[i - 1].end
    if pause >= LONG_PAUSE_SECONDS:
        return seconds >= PASSAGE_SECONDS / 2 or i - first >= PASSAGE_LINES / 2
    return seconds + utterances[i].span.seconds > PASSAGE_SECONDS or i - first >= PASSAGE_LINES
