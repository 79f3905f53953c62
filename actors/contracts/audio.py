from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ANALYSIS_RATE = 16_000
"""Hz of every clip that analysis engines get."""

Samples = NDArray[np.float32]
"""Mono waveform, shape (n,), float32 in [-1, 1]."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of time in seconds on the source's own clock; `end` is exclusive."""

    start: float
    end: float

    def __post_init__(self) -> None:
        if not self.end >= self.start:
            raise ValueError(f"a span must not end before it starts: start {self.start}, end {self.end}")

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.end - self.start

    def overlap(self, other: "Span") -> float:
        """Seconds that both spans share."""
        return max(0.0, min(self.end, other.end) - max(self.start, other.start))


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A waveform that knows when it plays.

    Attributes:
        samples: Shape (n,), mono float32 in [-1, 1].
        rate: Samples per second in Hz.
        start: Seconds on the source's clock of the first sample.
    """

    samples: Samples
    rate: int
    start: float = 0.0

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate

    @property
    def span(self) -> Span:
        """When the clip plays."""
        return Span(self.start, self.start + self.seconds)

    def cut(self, span: Span) -> "Clip":
        """The samples inside `span`, clamped to what the clip holds."""
        first = min(len(self.samples), max(0, round((span.start - self.start) * self.rate)))
        last = min(len(self.samples), max(first, round((span.end - self.start) * self.rate)))
        return Clip(self.samples[first:last], self.rate, self.start + first / self.rate)
