import numpy as np

from actors.contracts.audio import Samples

OVERSAMPLING = 4
WINDOW_SECONDS = 0.02
"""Attack and release: two periods of a low voice, so that the gain does not follow single glottal pulses."""


def limit(samples: Samples, rate: int, ceiling: float) -> Samples:
    """Hold true peaks under a ceiling, looking ahead so that nothing is clipped; what stays below is not touched.

    The gain that every sample needs is widened by a sliding minimum and smoothed by a sliding mean of the same width:
    each mean is over minima that all saw the sample in the middle, so it is never above what that sample needs.

    Args:
        samples: Mono.
        rate: Hz.
        ceiling: Linear true peak.
    """
    from scipy.ndimage import minimum_filter1d, uniform_filter1d  # noqa: PLC0415 - takes half a second, as meters do
    from scipy.signal import resample_poly  # noqa: PLC0415

    if not len(samples) or np.abs(samples).max() <= ceiling / 2:
        return samples
    between = np.abs(resample_poly(samples, OVERSAMPLING, 1)).reshape(len(samples), OVERSAMPLING)
    peaks = np.maximum(between.max(axis=1), np.abs(samples))
    needed = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9))
    width = 2 * round(WINDOW_SECONDS * rate / 2) + 1
    gain = uniform_filter1d(minimum_filter1d(needed, width), width)
    limited: Samples = (samples * np.minimum(gain, needed)).astype(np.float32)
    return limited
