from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from actors.contracts.audio import Samples

OVERSAMPLING = 4
WINDOW_SECONDS = 0.02
"""Attack and release: two periods of a low voice, so that the gain does not follow single glottal pulses."""
_INTERPOLATED = 32
"""Samples to both sides that interpolation between two of them looks at, and some more."""


def limit(samples: Samples, rate: int, ceiling: float) -> Samples:
    """Hold true peaks under a ceiling, looking ahead so that nothing is clipped; what stays below is not touched.

    The gain that every sample needs is widened by a sliding minimum and smoothed by a sliding mean of the same width:
    each mean is over minima that all saw the sample in the middle, so it is never above what that sample needs.

    Args:
        samples: Mono.
        rate: Hz.
        ceiling: Linear true peak.
    """
    return _held(samples[:, None], rate, ceiling)[:, 0]


def limit_stream(blocks: Iterable[NDArray[np.float32]], rate: int, ceiling: float) -> Iterator[NDArray[np.float32]]:
    """The same for audio that streams, in constant memory; all channels are held by one gain.

    Args:
        blocks: Of shape (n, channels), any sizes; what comes out does not depend on them, but for where it is cut.
        rate: Hz.
        ceiling: Linear true peak.
    """
    around = _width(rate) + _INTERPOLATED
    buffer: NDArray[np.float32] | None = None
    for block in blocks:
        before = np.zeros((around, block.shape[1]), np.float32) if buffer is None else buffer
        buffer = np.concatenate([before, block])
        if (ready := len(buffer) - 2 * around) > 0:
            yield _held(buffer, rate, ceiling)[around : around + ready]
            buffer = buffer[ready:]
    if buffer is not None and len(buffer) > around:
        last = np.concatenate([buffer, np.zeros((around, buffer.shape[1]), np.float32)])
        yield _held(last, rate, ceiling)[around : len(buffer)]


def _held(samples: NDArray[np.float32], rate: int, ceiling: float) -> NDArray[np.float32]:
    """Samples of shape (n, channels) under the ceiling."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d  # noqa: PLC0415 - takes half a second, as meters do
    from scipy.signal import resample_poly  # noqa: PLC0415

    if not len(samples) or np.abs(samples).max() <= ceiling / 2:
        return samples
    between = np.abs(resample_poly(samples, OVERSAMPLING, 1, axis=0)).reshape(len(samples), -1)
    peaks = np.maximum(between.max(axis=1), np.abs(samples).max(axis=1))
    needed = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9))
    width = _width(rate)
    gain = uniform_filter1d(minimum_filter1d(needed, width), width)
    limited: NDArray[np.float32] = (samples * np.minimum(gain, needed)[:, None]).astype(np.float32)
    return limited


def _width(rate: int) -> int:
    return 2 * round(WINDOW_SECONDS * rate / 2) + 1
