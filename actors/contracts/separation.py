from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from actors.contracts.engine import Engine

Stereo = NDArray[np.float32]
"""Waveform of two channels, shape (n, 2), float32 in [-1, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class SeparationRequest:
    """One scene.

    Attributes:
        sound: All that is heard, shape (n, 2), at the separator's rate.
        start: Seconds on the source's clock of the first sample.
    """

    sound: Stereo
    start: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """What is left of a scene without its voices, sample for sample: shape and rate are those of the request."""

    sound: Stereo


class Separator(Engine[SeparationRequest, Background], Protocol):
    """Takes voices away and leaves music, noises and effects as they are."""

    @property
    def rate(self) -> int:
        """Hz of what it takes and gives; known before `load`."""
        ...
