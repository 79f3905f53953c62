from typing import cast

import numpy as np
import soxr
from numpy.typing import NDArray
from python_stretch import Signalsmith

from actors.contracts.audio import Samples

UNHEARD = 0.003
"""A relative change of length that nobody hears is not worth the artefacts of a stretch."""
_SEED = 1
_EDGE_SECONDS = 0.003


def fit(samples: Samples, rate: int, *, to_rate: int, to_samples: int) -> Samples:
    """Speech at another sample rate and of another length, at the same pitch.

    The result has `to_samples` samples, or as many as the unstretched speech where the difference is inaudible. The
    phase vocoder is Signalsmith Stretch; with its seed fixed the same input gives the same output.

    Args:
        samples: Mono speech at `rate` Hz.
        rate: Hz.
        to_rate: Hz of the result.
        to_samples: Wanted length at `to_rate`.
    """
    resampled = resample(samples, rate, to_rate)
    if abs(len(resampled) - to_samples) > UNHEARD * to_samples and len(resampled) > 0:
        resampled = _stretch(resampled, to_rate, to_samples)
    return _soft_edges(resampled, to_rate)


def resample(samples: NDArray[np.float32], rate: int, to_rate: int) -> NDArray[np.float32]:
    """The same sound at another rate in Hz; shape (n,) or (n, channels)."""
    return cast("NDArray[np.float32]", soxr.resample(samples, rate, to_rate)) if rate != to_rate else samples


def _stretch(samples: Samples, rate: int, to_samples: int) -> Samples:
    stretcher = Signalsmith.Stretch(_SEED)
    stretcher.preset(1, float(rate))
    stretcher.setTimeFactor(len(samples) / to_samples)
    stretched = np.asarray(stretcher.process(np.ascontiguousarray(samples[None, :], np.float32)))[0]
    fitted = np.zeros(to_samples, np.float32)
    fitted[: len(stretched)] = stretched[:to_samples]
    return fitted


def _soft_edges(samples: Samples, rate: int) -> Samples:
    """Fade in and out over a few milliseconds, so that no take begins or ends with a click."""
    n = min(round(_EDGE_SECONDS * rate), len(samples) // 2)
    if not n:
        return samples
    ramp = np.linspace(0, 1, n, dtype=np.float32)
    faded = samples.copy()
    faded[:n] *= ramp
    faded[-n:] *= ramp[::-1]
    return faded
