from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class CosineMetric:
    """Cosine distance of speaker embeddings, which know a voice whatever the microphone.

    Args:
        threshold: Voices nearer than this are one person.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    @property
    def threshold(self) -> float:
        """Of the distance, 0 (the same direction) to 2."""
        return self._threshold

    @property
    def across_recordings(self) -> bool:
        """Embeddings are trained to tell people apart through all channels."""
        return True

    def distances(self, voiceprints: Sequence[tuple[float, ...]]) -> NDArray[np.float64]:
        """Symmetric (n, n) matrix; an empty voiceprint is infinitely far from all others."""
        known = np.flatnonzero([bool(print_) for print_ in voiceprints])
        distances = np.full((len(voiceprints), len(voiceprints)), np.inf)
        if len(known):
            voices = np.array([voiceprints[i] for i in known])
            voices = voices / np.maximum(np.linalg.norm(voices, axis=1, keepdims=True), 1e-12)
            distances[np.ix_(known, known)] = np.clip(1.0 - voices @ voices.T, 0.0, 2.0)
        np.fill_diagonal(distances, 0.0)
        return distances
