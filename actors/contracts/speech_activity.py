from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from actors.contracts.audio import Samples
from actors.contracts.engine import EngineInfo

WINDOW_SAMPLES = 512
"""Samples at 16 kHz that share one speech probability (32 ms)."""


class SpeechActivityStream(Protocol):
    """The running state over one source; windows do not depend on how the audio was cut into pushes."""

    def push(self, samples: Samples) -> NDArray[np.float32]:
        """Take the next samples (16 kHz mono, any number) and give the probability of each window completed by them."""
        ...

    def flush(self) -> NDArray[np.float32]:
        """Give the probability of the last, zero-padded window; empty where no samples are left over."""
        ...


class SpeechActivityDetector(Protocol):
    """Says where somebody speaks, while the audio still streams."""

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        ...

    def check(self) -> None:
        """As `Engine.check`."""
        ...

    def load(self) -> None:
        """As `Engine.load`."""
        ...

    def close(self) -> None:
        """As `Engine.close`."""
        ...

    def stream(self) -> SpeechActivityStream:
        """Start at the beginning of one source."""
        ...
