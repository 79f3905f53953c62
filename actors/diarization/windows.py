"""Overlapping windows of recordings: what neural diarizers look at, many recordings at once."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from actors.contracts.audio import Samples


def cut(samples: Samples, size: int, step: int) -> Samples:
    """Windows of `size` samples, one every `step`, shape (windows, size); the last one is padded with silence."""
    count = max(1, math.ceil((len(samples) - size) / step) + 1)
    padded = np.zeros((count - 1) * step + size, np.float32)
    padded[: len(samples)] = samples[: len(padded)]
    windows: Samples = sliding_window_view(padded, size, writeable=True)[::step]
    return windows


def parted(flat: Any, parts: Sequence[Any]) -> list[Any]:
    """The rows of each part again, of arrays or tensors that were joined."""
    ends = np.cumsum([0, *map(len, parts)]).tolist()
    return [flat[first:last] for first, last in pairwise(ends)]
