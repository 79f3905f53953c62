"""What a voice sounds like within one recording, as the moments of its cepstra.

Cepstra follow the microphone and the line as much as the voice, so voiceprints compare scenes of one source only.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from actors.diarization.gaussian import Moments

_CEPSTRA = 15
"""Higher coefficients help to tell voices apart within a scene, but vary with what is said."""

_FEWEST_FRAMES = 100
_UPPER = np.triu_indices(_CEPSTRA)
_FLOOR = 0.1
"""Share of each variance added to a shared covariance, which little speech estimates badly."""

_ALLOWANCE = 100.0
"""By how much little speech makes a distance too large: this divided by the number of frames on each side (measured on
parts of one speaker; larger than for independent frames, because neighbouring ones are alike)."""


def voiceprint(cepstra: NDArray[np.float64]) -> tuple[float, ...]:
    """Pack a speaker's loud frames, shape (n, at least 15); empty for less than a second."""
    if len(cepstra) < _FEWEST_FRAMES:
        return ()
    voice = Moments.of(cepstra[:, :_CEPSTRA])
    return (float(voice.count), *voice.mean.tolist(), *voice.covariance[_UPPER].tolist())


class CepstralMetric:
    """Mahalanobis distance of mean cepstra under the covariance that two voices share.

    Half of its square, in nats: how much likelier a frame is under its own voice than under the other one.
    """

    @property
    def threshold(self) -> float:
        """Parts (of 5 to 14 s) of one real voice lie 0 to 0.8 apart (8 s of a reader up to 1.4), other lines 3.3 to 36.

        Two women on one telephone line lie at 0.5 to 1.8: there the rule that a scene's speakers differ has to help.
        """
        return 1.1

    @property
    def across_recordings(self) -> bool:
        """Cepstra have the channel in them as much as the voice: another microphone makes another person."""
        return False

    def distances(self, voiceprints: Sequence[tuple[float, ...]]) -> NDArray[np.float64]:
        """Symmetric (n, n) matrix; an empty voiceprint is infinitely far from all others."""
        known = np.flatnonzero([bool(print_) for print_ in voiceprints])
        distances = np.full((len(voiceprints), len(voiceprints)), np.inf)
        if len(known):
            distances[np.ix_(known, known)] = _distances([_unpack(voiceprints[i]) for i in known])
        np.fill_diagonal(distances, 0.0)
        return distances


def _distances(voices: list[Moments]) -> NDArray[np.float64]:
    counts = np.array([voice.count for voice in voices])
    means = np.array([voice.mean for voice in voices])
    covariances = np.array([voice.covariance for voice in voices])
    distances = np.zeros((len(voices), len(voices)))
    for i, count in enumerate(counts):
        share = (count / (count + counts))[:, None, None]
        shared = share * covariances[i] + (1 - share) * covariances
        shared = shared + _FLOOR * shared * np.eye(_CEPSTRA)
        apart = means - means[i]
        squares = (apart * np.linalg.solve(shared, apart[:, :, None])[:, :, 0]).sum(axis=1)
        distances[i] = np.maximum(0.0, squares / 2 - _ALLOWANCE * (1 / count + 1 / counts))
    symmetric: NDArray[np.float64] = (distances + distances.T) / 2
    return symmetric


def _unpack(packed: tuple[float, ...]) -> Moments:
    count, mean = packed[0], np.array(packed[1 : 1 + _CEPSTRA])
    covariance = np.zeros((_CEPSTRA, _CEPSTRA))
    covariance[_UPPER] = packed[1 + _CEPSTRA :]
    covariance = np.triu(covariance) + np.triu(covariance, 1).T
    return Moments(count, count * mean, count * (covariance + np.outer(mean, mean)))
