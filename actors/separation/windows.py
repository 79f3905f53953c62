"""Long recordings in windows that overlap, and put together again without a seam."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from actors.contracts.separation import Stereo

OVERLAP = 0.25
"""Of a window, shared with the next one."""


def starts(samples: int, window: int) -> Sequence[int]:
    """Where windows begin; the last one ends with the recording, so that it has all the context that there is."""
    last = max(0, samples - window)
    return [*range(0, last, max(1, round(window * (1 - OVERLAP)))), last]


def cut(sound: Stereo, start: int, window: int) -> Stereo:
    """One window; silence follows a recording that is shorter."""
    piece = np.zeros((window, sound.shape[1]), np.float32)
    heard = sound[start : start + window]
    piece[: len(heard)] = heard
    return piece


class Joined:
    """A recording that is put together out of windows, each counting most in its middle.

    Args:
        samples: Length of the recording.
        window: Length of a window.
    """

    def __init__(self, samples: int, window: int) -> None:
        self._sum = np.zeros((samples, 2), np.float32)
        self._weight = np.zeros(samples, np.float32)
        self._shape = _triangle(window)

    def add(self, start: int, heard: Stereo) -> None:
        """Take what was made of the window that begins at `start`."""
        room = slice(start, min(start + len(heard), len(self._sum)))
        count = room.stop - start
        self._sum[room] += self._shape[:count, None] * heard[:count]
        self._weight[room] += self._shape[:count]

    @property
    def sound(self) -> Stereo:
        """The whole, once all windows are there."""
        whole: Stereo = self._sum / np.maximum(self._weight, np.finfo(np.float32).tiny)[:, None]
        return whole


def _triangle(window: int) -> NDArray[np.float32]:
    rising = np.arange(1, window + 1)
    shape: NDArray[np.float32] = (np.minimum(rising, rising[::-1]) / ((window + 1) / 2)).astype(np.float32)
    return shape
