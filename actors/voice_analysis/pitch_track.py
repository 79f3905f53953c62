from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actors.contracts.audio import Clip

_FRAME_SECONDS = 0.064
HOP_SECONDS = 0.01
"""Between one frame and the next."""

_LOWEST, _HIGHEST = 60.0, 400.0
_VOICED = 0.6
"""Least normalised autocorrelation of a voiced frame."""

_AS_GOOD_AS_BEST = 0.85
"""The shortest period that correlates nearly as well as the best one is the true one: its multiples do so too."""

_QUIETER_HALF = 0.5
"""Quiet frames are left out: their pitch is uncertain and their formants are the room's."""


@dataclass(frozen=True, slots=True, eq=False)
class PitchTrack:
    """The voiced, loud moments of a clip.

    Attributes:
        frequency: Shape (n,), fundamental frequency in Hz.
        center: Shape (n,), the sample in the middle of each frame.
    """

    frequency: NDArray[np.float64]
    center: NDArray[np.int64]


def track_pitch(clip: Clip) -> PitchTrack:
    """Find the pitch by autocorrelation, corrected for the window (Boersma 1993, IFA Proceedings 17)."""
    size, hop = round(_FRAME_SECONDS * clip.rate), round(HOP_SECONDS * clip.rate)
    if len(clip.samples) < size:
        return PitchTrack(np.zeros(0), np.zeros(0, np.int64))
    frames = np.lib.stride_tricks.sliding_window_view(clip.samples, size)[::hop].astype(np.float64)
    frames = frames - frames.mean(axis=1, keepdims=True)
    loudness = np.square(frames).mean(axis=1)
    frequency = np.array([_frequency(curve, clip.rate) for curve in _autocorrelation(frames)])
    kept = (frequency > 0) & (loudness > 0) & (loudness >= np.quantile(loudness, _QUIETER_HALF))
    return PitchTrack(frequency[kept], np.flatnonzero(kept) * hop + size // 2)


def _autocorrelation(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    size = frames.shape[1]
    window = np.hanning(size)
    own = np.fft.irfft(np.square(np.abs(np.fft.rfft(window, 2 * size))))[:size]
    power = np.square(np.abs(np.fft.rfft(frames * window, 2 * size)))
    correlation = np.fft.irfft(power)[:, : size // 2]
    normalized: NDArray[np.float64] = correlation / (correlation[:, :1] + 1e-12) / (own / own[0])[: size // 2]
    return normalized


def _frequency(correlation: NDArray[np.float64], rate: int) -> float:
    """The frequency of one frame; 0 where it is not voiced."""
    shortest, longest = round(rate / _HIGHEST), round(rate / _LOWEST)
    periods = correlation[shortest:longest]
    if periods.max() < _VOICED:
        return 0.0
    inner = periods[1:-1]
    peaks = np.flatnonzero((inner > periods[:-2]) & (inner >= periods[2:])) + 1
    good = peaks[periods[peaks] >= _AS_GOOD_AS_BEST * periods.max()]
    return rate / (shortest + int(good[0])) if len(good) else 0.0
