"""Meters for audio that streams, after ITU-R BS.1770-5: constant memory for any length.

`scipy.signal` brings half of SciPy with it and takes half a second to import, so it is imported by what is measured.
"""

from math import inf, log10

import numpy as np
from numpy.typing import NDArray

from dataflow.loudness import SILENT, power_of
from dataflow.records import Level

BLOCK_SECONDS = 0.4
HOPS_PER_BLOCK = 4
ABSOLUTE_GATE = -70.0
"""LUFS; quieter blocks do not count."""
RELATIVE_GATE = -10.0
"""LU below the mean of the blocks over the absolute gate."""


def warm_up() -> None:
    """Import now what meters need, so that nobody waits for it later."""
    import pyloudnorm.iirfilter  # noqa: F401, PLC0415 - brings scipy.signal


def measure(samples: NDArray[np.float32], rate: int) -> Level:
    """The level of one whole piece; shape (n,) or (n, channels). A piece shorter than a block counts as one block."""
    meter = LoudnessMeter(rate)
    meter.push(samples)
    return meter.level()


class LoudnessMeter:
    """Integrated, gated loudness of a stream of blocks, whatever their sizes."""

    def __init__(self, rate: int) -> None:
        self._filter = _k_weighting(rate)
        self._state: NDArray[np.float64] | None = None
        self._hop = round(BLOCK_SECONDS / HOPS_PER_BLOCK * rate)
        self._rest = np.zeros(0)
        self._hops: list[float] = []

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples, shape (n,) or (n, channels)."""
        from scipy.signal import sosfilt  # noqa: PLC0415 - see above

        if not len(samples):
            return
        planes = np.atleast_2d(samples.T)
        if self._state is None:
            self._state = np.zeros((len(self._filter), len(planes), 2))
        weighted, self._state = sosfilt(self._filter, planes, zi=self._state)
        power = np.concatenate([self._rest, np.square(weighted).sum(axis=0)])
        whole = len(power) // self._hop * self._hop
        self._hops += power[:whole].reshape(-1, self._hop).mean(axis=1).tolist()
        self._rest = power[whole:]

    def level(self) -> Level:
        """What has been heard so far."""
        blocks = self._blocks()
        loud = blocks[blocks > power_of(ABSOLUTE_GATE)]
        if not len(loud):
            return SILENT
        gated = loud[loud > loud.mean() * 10 ** (RELATIVE_GATE / 10)]
        return Level(float(gated.mean()), len(gated))

    def _blocks(self) -> NDArray[np.float64]:
        hops = np.array(self._hops)
        if len(hops) >= HOPS_PER_BLOCK:
            return np.convolve(hops, np.full(HOPS_PER_BLOCK, 1 / HOPS_PER_BLOCK), mode="valid")
        heard = len(hops) * self._hop + len(self._rest)
        return np.array([(hops.sum() * self._hop + self._rest.sum()) / heard]) if heard else np.zeros(0)


def _k_weighting(rate: int) -> NDArray[np.float64]:
    """Second-order sections of the K filter: the specification's curve, for any rate (De Man's parameters)."""
    from pyloudnorm.iirfilter import IIRfilter  # noqa: PLC0415 - see above

    shelf = IIRfilter(3.99984385397, 0.7071752369554193, 1681.9744509555319, rate, "high_shelf_DeMan")
    highpass = IIRfilter(0.0, 0.5003270373253953, 38.13547087613982, rate, "high_pass_DeMan")
    return np.array([[*stage.b, *stage.a] for stage in (shelf, highpass)])


OVERSAMPLING = 4
_TAPS_PER_PHASE = 12


class TruePeakMeter:
    """Highest peak between the samples, by fourfold oversampling as in BS.1770 annex 2.

    Only blocks whose sample peak comes near the highest peak so far are oversampled: a true peak does not exceed the
    sample peak by more than a few dB.
    """

    _MARGIN = 10 ** (-6 / 20)

    def __init__(self) -> None:
        self.peak = 0.0
        self._interpolator = _interpolator()
        self._tail: NDArray[np.float32] | None = None

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples, shape (n,) or (n, channels)."""
        from scipy.signal import upfirdn  # noqa: PLC0415 - see above

        if not len(samples):
            return
        planes = np.atleast_2d(samples.T)
        joined = planes if self._tail is None else np.concatenate([self._tail, planes], axis=1)
        highest = float(np.abs(joined).max())
        if highest > self.peak * self._MARGIN and highest > 0:
            between = upfirdn(self._interpolator, joined, up=OVERSAMPLING, axis=1)
            # Outputs that reach beyond what is joined would see a step to zero that is not in the signal.
            inside = between[:, len(self._interpolator) - 1 : 1 - len(self._interpolator)]
            self.peak = max(self.peak, highest, float(np.abs(inside).max(initial=0.0)))
        self._tail = joined[:, -_TAPS_PER_PHASE - 1 :]

    @property
    def dbtp(self) -> float:
        """The peak in dBTP; -inf for silence."""
        return 20 * log10(self.peak) if self.peak > 0 else -inf


def _interpolator() -> NDArray[np.float64]:
    taps = OVERSAMPLING * _TAPS_PER_PHASE
    position = (np.arange(taps + 1) - taps / 2) / OVERSAMPLING
    return np.asarray(np.sinc(position) * np.kaiser(taps + 1, 5.0))
