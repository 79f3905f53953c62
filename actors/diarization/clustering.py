"""Which embeddings of a recording are one person's.

Centroid linkage of embeddings at length 1, cut at a distance; small clusters are no people. The distances are those
published with the pipelines that pair these two networks, by pyannote, and have not been tuned here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Clusters = NDArray[np.int64]
"""The person of each embedding, counted from 0."""

_ANOTHER_PERSON = 0.7045654963945799
"""Of `speaker-diarization-3.1`: Euclidean distance of two people's mean embeddings; a cosine of 0.75."""

_EXPECTED_PERSON = 0.6
"""Of `speaker-diarization-community-1`, whose first clustering is meant to find too many: for as many people as there
are said to be at least, of whom not every scene has all."""


@dataclass(frozen=True, slots=True)
class People:
    """How many there may be.

    Attributes:
        fewest: At least so many are in the source, though perhaps not in the scene.
        most: At most so many, where known.
        smallest: A cluster of fewer embeddings is nobody.
    """

    fewest: int = 1
    most: int | None = None
    smallest: int = 1


def centroids(embeddings: NDArray[np.float32], people: People) -> NDArray[np.float32]:
    """The mean embedding of each person, at length 1, shape (people, dimensions).

    Args:
        embeddings: At length 1, shape (n, dimensions); at least one.
        people: How many there may be.
    """
    clusters = _clusters(embeddings, people)
    large = _large(clusters, min(people.smallest, len(embeddings)))
    means = np.array([embeddings[clusters == one].mean(axis=0) for one in large])
    unit: NDArray[np.float32] = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return unit


def nearest(window: NDArray[np.float32], people: NDArray[np.float32], *, distinct: bool) -> Clusters:
    """Whose each embedding of one window is, shape (speakers,); -1 for one that is not a number.

    Args:
        window: Embeddings of the window's speakers.
        people: Mean embeddings.
        distinct: The speakers are heard at once, so that no two of them can be one person.
    """
    from scipy.optimize import linear_sum_assignment

    found: Clusters = np.full(len(window), -1)
    known = np.flatnonzero(np.isfinite(window).all(axis=1))
    alike = window[known] @ people.T
    if distinct and len(known) <= len(people):
        rows, columns = linear_sum_assignment(alike, maximize=True)
        found[known[rows]] = columns
    elif len(known):
        found[known] = alike.argmax(axis=1)
    return found


def _clusters(embeddings: NDArray[np.float32], people: People) -> Clusters:
    everybody = np.zeros(len(embeddings), np.int64)
    if len(embeddings) == 1 or people.most == 1:
        return everybody
    from scipy.cluster.hierarchy import fcluster, linkage

    tree = linkage(embeddings.astype(np.float64), "centroid")
    # Centroids may come nearer by a merge, so that distances do not tell the order of the merges.
    in_order = np.column_stack([tree[:, :2], np.arange(len(tree)), tree[:, 3]])

    def cut(by: NDArray[np.float64], at: float) -> Clusters:
        return fcluster(by, at, "distance").astype(np.int64)

    def into(count: int) -> Clusters:
        return cut(in_order, len(tree) - count)

    most = people.most or len(embeddings)
    usual = cut(tree, _ANOTHER_PERSON)
    fewer = (into(count) for count in range(int(usual.max()) - 1, 1, -1))
    found = next((some for some in (usual, *fewer) if 1 <= _people(some, people) <= most), everybody)
    further = (into(count) for count in range(int(found.max()) + 1, int(cut(tree, _EXPECTED_PERSON).max()) + 1))
    for some in further:
        if _people(found, people) < _people(some, people) <= min(people.fewest, most):
            found = some
    return found


def _people(clusters: Clusters, people: People) -> int:
    return len(_large(clusters, people.smallest))


def _large(clusters: Clusters, smallest: int) -> list[int]:
    numbers, sizes = np.unique(clusters, return_counts=True)
    large: list[int] = numbers[sizes >= smallest].tolist()
    return large
