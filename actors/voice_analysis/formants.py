import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz

from actors.contracts.audio import Clip

_RATE = 7_000
"""Hz: keeps what a telephone keeps, in which F1 to F3 lie for men and women."""

_ORDER = 8
_FRAME = 210
"""Samples: 30 ms."""

_PREEMPHASIS = 0.95
_LOWEST, _HIGHEST, _WIDEST = 200.0, 3_350.0, 500.0
"""Hz: poles beyond these, or of a larger bandwidth, are the voice's tilt or the filter's edge, not resonances."""

_RESONANCES = 3
_MOST_FRAMES = 2_000


def formant_spacings(clip: Clip, centers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Spacing of the vocal tract's resonances in Hz, around each of the given samples that shows three of them.

    A uniform tube closed at one end resonates at (i - 1/2) times its spacing, which is c / (2 x length): the regression
    of F1 to F3 on (i - 1/2) tells the length of the vocal tract (Reby & McComb 2003, Animal Behaviour 65). The formants
    come from the poles of linear prediction (Markel & Gray 1976).
    """
    step = max(1, -(-len(centers) // _MOST_FRAMES))
    samples = soxr.resample(clip.samples.astype(np.float64), clip.rate, _RATE)
    emphasized = np.append(samples[:1], samples[1:] - _PREEMPHASIS * samples[:-1])
    middles = (centers[::step] * _RATE / clip.rate).astype(int)
    frames = [emphasized[max(0, middle - _FRAME // 2) : middle + _FRAME // 2] for middle in middles]
    found = [_formants(frame) for frame in frames if len(frame) == _FRAME]
    return np.array([_spacing(formants[:_RESONANCES]) for formants in found if len(formants) >= _RESONANCES])


def _formants(frame: NDArray[np.float64]) -> list[float]:
    poles = np.roots(np.append(1.0, -_prediction(frame * np.hamming(len(frame)))))
    poles = poles[poles.imag > 0]
    frequency = np.angle(poles) * _RATE / (2 * np.pi)
    bandwidth = -np.log(np.abs(poles)) * _RATE / np.pi
    resonant = (frequency > _LOWEST) & (frequency < _HIGHEST) & (bandwidth < _WIDEST)
    return sorted(frequency[resonant].tolist())


def _prediction(frame: NDArray[np.float64]) -> NDArray[np.float64]:
    correlation = np.correlate(frame, frame, "full")[len(frame) - 1 : len(frame) + _ORDER]
    correlation[0] = correlation[0] * 1.0001 + 1e-9  # Keeps the equations solvable for digital silence.
    coefficients: NDArray[np.float64] = solve_toeplitz(correlation[:-1], correlation[1:])
    return coefficients


def _spacing(formants: list[float]) -> float:
    steps = np.arange(len(formants)) + 0.5
    return float(steps @ np.array(formants) / (steps @ steps))
