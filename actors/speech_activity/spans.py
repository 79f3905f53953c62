"""From speech probabilities to spans of speech, while the audio still streams."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from actors.contracts.audio import ANALYSIS_RATE, Span
from actors.contracts.speech_activity import WINDOW_SAMPLES

WINDOW_SECONDS = WINDOW_SAMPLES / ANALYSIS_RATE


@dataclass(frozen=True, slots=True)
class SpanRules:
    """What counts as a stretch of speech.

    Attributes:
        onset: Speech starts with a window of at least this probability.
        offset: Speech goes on until a window below this probability; lower than `onset`, so that it does not flicker.
        min_speech: Stretches shorter than this many seconds, padding left out, are no speech.
        min_silence: Speech has ended when this many seconds went by without a window reaching `onset`.
        padding: Seconds added on both sides, because consonants at the edges are quiet.
    """

    onset: float = 0.5
    offset: float = 0.35
    min_speech: float = 0.1
    min_silence: float = 0.3
    padding: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.offset <= self.onset <= 1:
            raise ValueError(f"thresholds must obey 0 < offset <= onset <= 1: {self.offset}, {self.onset}")
        if not 0 <= 2 * self.padding <= self.min_silence:
            raise ValueError(
                f"two paddings must fit into the shortest silence: {self.padding} s in {self.min_silence} s"
            )


DEFAULT_RULES = SpanRules()


class SpanTracker:
    """Follows one source and gives each span as soon as nothing that comes later can change it.

    Windows are counted, not added up, so times do not drift over hours.
    """

    def __init__(self, rules: SpanRules = DEFAULT_RULES) -> None:
        self._rules = rules
        self._min_speech_windows = _windows(rules.min_speech)
        self._min_silence_windows = max(1, _windows(rules.min_silence))
        self._seen = 0
        self._first: int | None = None
        self._quiet_since: int | None = None

    @property
    def settled(self) -> float:
        """Seconds up to which all is decided: spans that are still to come start at or after it."""
        undecided = self._seen if self._first is None else self._first
        return max(0.0, undecided * WINDOW_SECONDS - self._rules.padding)

    @property
    def open_since(self) -> float | None:
        """Where a span began that still goes on; None in silence."""
        return None if self._first is None else self.settled

    def push(self, probabilities: NDArray[np.float32]) -> tuple[Span, ...]:
        """Take the next windows and give the spans that ended for good."""
        return tuple(span for probability in probabilities for span in self._advance(float(probability)))

    def flush(self, end: float) -> tuple[Span, ...]:
        """Give the span that is open at the end of the source, `end` seconds long; padding stays inside it."""
        if self._first is None:
            return ()
        return tuple(replace(span, end=min(span.end, end)) for span in self._close() if span.start < end)

    def _advance(self, probability: float) -> tuple[Span, ...]:
        window, self._seen = self._seen, self._seen + 1
        if probability >= self._rules.onset:
            self._first = window if self._first is None else self._first
            self._quiet_since = None
        elif self._first is not None:
            return self._quieten(window, probability)
        return ()

    def _quieten(self, window: int, probability: float) -> tuple[Span, ...]:
        if probability < self._rules.offset and self._quiet_since is None:
            self._quiet_since = window
        if self._quiet_since is None or self._seen - self._quiet_since < self._min_silence_windows:
            return ()
        return self._close()

    def _close(self) -> tuple[Span, ...]:
        first = self._seen if self._first is None else self._first
        last = self._seen if self._quiet_since is None else self._quiet_since
        self._first = self._quiet_since = None
        if last - first < self._min_speech_windows:
            return ()
        padding = self._rules.padding
        return (Span(max(0.0, first * WINDOW_SECONDS - padding), last * WINDOW_SECONDS + padding),)


def speech_spans(
    probabilities: NDArray[np.float32], seconds: float, rules: SpanRules = DEFAULT_RULES
) -> tuple[Span, ...]:
    """The spans of speech of a whole source that lasts `seconds`, sorted and disjoint."""
    tracker = SpanTracker(rules)
    return tracker.push(probabilities) + tracker.flush(seconds)


def _windows(seconds: float) -> int:
    return int(np.ceil(seconds / WINDOW_SECONDS - 1e-9))
