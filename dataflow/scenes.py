"""Cutting a source into scenes at silence, while it streams.

A scene holds speech and a little silence around it; long silences belong to no scene. The longer a scene gets, the
shorter a silence suffices to end it; speech that never pauses is cut at its quietest moment.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from actors.contracts.audio import ANALYSIS_RATE, Clip, Samples, Span

SHORT_SECONDS = 30.0
"""A scene of this length ends only at a long silence ..."""
LONG_SILENCE = 2.0
LONG_FRACTION = 0.75
"""... and one of this part of the greatest length at any silence."""
SHORT_SILENCE = 0.1
MARGIN = 0.25
"""Seconds of silence kept around a scene's speech."""
_SEARCH_SECONDS = 10.0
_QUIET_SECONDS = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class CutScene:
    """A scene's audio on the source's clock, and where in it somebody speaks."""

    clip: Clip
    speech: tuple[Span, ...]


class SceneCutter:
    """Takes audio and the speech found in it, gives scenes; holds no more audio than the longest scene.

    Args:
        max_seconds: No scene's speech is longer.
    """

    def __init__(self, max_seconds: float) -> None:
        self._max_seconds = max_seconds
        self._audio = _Window()
        self._speech: list[Span] = []
        self._cut_at = 0.0

    def push(
        self, samples: Samples, speech: Sequence[Span], settled: float, open_since: float | None = None
    ) -> Iterator[CutScene]:
        """Take the next samples (16 kHz mono).

        Args:
            samples: Any number, following the last ones.
            speech: Spans that have ended for good since the last push.
            settled: Seconds up to which speech is decided: spans still to come start at or after it.
            open_since: Where a span began that still goes on.
        """
        self._audio.append(samples)
        self._speech += [Span(max(span.start, self._cut_at), span.end) for span in speech if span.end > self._cut_at]
        yield from self._cut(settled, open_since)
        start = self._start(open_since)
        self._audio.drop_before(min(settled, settled if start is None else start) - MARGIN)

    def flush(self) -> Iterator[CutScene]:
        """Give what is left at the end of the source, all speech having been pushed."""
        yield from self._cut(inf, None)

    def _cut(self, settled: float, open_since: float | None) -> Iterator[CutScene]:
        yield from self._cut_at_silences(settled)
        while (start := self._start(open_since)) is not None and self._audio.end - start > self._max_seconds:
            yield self._cut_anywhere(open_since)
            yield from self._cut_at_silences(settled)

    def _start(self, open_since: float | None) -> float | None:
        if self._speech:
            return self._speech[0].start
        return None if open_since is None else max(open_since, self._cut_at)

    def _cut_at_silences(self, settled: float) -> Iterator[CutScene]:
        i = 0
        while i < len(self._speech):
            following = self._speech[i + 1].start if i + 1 < len(self._speech) else settled
            length = self._speech[i].end - self._speech[0].start
            if length > self._max_seconds:
                return
            if following - self._speech[i].end >= self._silence_needed(length):
                yield self._emit_spoken(i + 1, following)
                i = 0
            else:
                i += 1

    def _silence_needed(self, length: float) -> float:
        lengths = (SHORT_SECONDS, max(SHORT_SECONDS + 1, LONG_FRACTION * self._max_seconds))
        return float(np.interp(length, lengths, (LONG_SILENCE, SHORT_SILENCE)))

    def _cut_anywhere(self, open_since: float | None) -> CutScene:
        """Cut speech that does not pause: at its quietest moment before the scene gets too long."""
        going_on = [] if open_since is None else [Span(max(open_since, self._cut_at), self._audio.end)]
        spans = [*self._speech, *going_on]
        latest = spans[0].start + self._max_seconds
        at = self._audio.quietest(latest - min(_SEARCH_SECONDS, self._max_seconds / 2), latest)
        self._speech = [Span(max(span.start, at), span.end) for span in self._speech if span.end > at]
        return self._emit(tuple(Span(span.start, min(span.end, at)) for span in spans if span.start < at), at)

    def _emit_spoken(self, count: int, following: float) -> CutScene:
        speech, self._speech = tuple(self._speech[:count]), self._speech[count:]
        return self._emit(speech, min(speech[-1].end + MARGIN, following))

    def _emit(self, speech: tuple[Span, ...], until: float) -> CutScene:
        clip = self._audio.cut(Span(max(self._cut_at, speech[0].start - MARGIN), until))
        self._cut_at = until
        return CutScene(clip, speech)


class _Window:
    """The audio that may still be needed."""

    def __init__(self) -> None:
        self._samples: Samples = np.zeros(0, np.float32)
        self._first = 0

    @property
    def end(self) -> float:
        return (self._first + len(self._samples)) / ANALYSIS_RATE

    def append(self, samples: Samples) -> None:
        self._samples = np.concatenate([self._samples, samples])

    def cut(self, span: Span) -> Clip:
        return Clip(self._samples, ANALYSIS_RATE, self._first / ANALYSIS_RATE).cut(span)

    def drop_before(self, seconds: float) -> None:
        count = min(len(self._samples), max(0, round(seconds * ANALYSIS_RATE) - self._first))
        self._samples = self._samples[count:]
        self._first += count

    def quietest(self, earliest: float, latest: float) -> float:
        """The middle of the tenth of a second with the least energy between two moments."""
        clip = self.cut(Span(earliest, latest))
        width = round(_QUIET_SECONDS * ANALYSIS_RATE)
        if len(clip.samples) < width:
            return latest
        energy = np.convolve(np.square(clip.samples, dtype=np.float64), np.ones(width), mode="valid")
        return clip.start + (int(energy.argmin()) + width / 2) / ANALYSIS_RATE
