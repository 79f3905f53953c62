import numpy as np
import pytest
from numpy.typing import NDArray

from actors.diarization.clustering import People, centroids, nearest

AXES = np.eye(8)


def around(axis: NDArray[np.float64], count: int, spread: float = 0.05, seed: int = 0) -> NDArray[np.float32]:
    """Embeddings at length 1 near a direction."""
    made = axis + np.random.default_rng(seed).normal(0, spread, (count, len(axis)))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def at(distance: float, count: int = 6) -> NDArray[np.float32]:
    """Two people whose embeddings are so far apart."""
    angle = 2 * np.arcsin(distance / 2)
    other = np.cos(angle) * AXES[0] + np.sin(angle) * AXES[1]
    return np.concatenate([around(AXES[0], count, 1e-3), around(other, count, 1e-3)])


def test_people_are_those_whose_voices_are_far_apart() -> None:
    embeddings = np.concatenate([around(AXES[i], 5 + i, seed=i) for i in range(4)])
    means = centroids(embeddings, People(smallest=2))
    assert sorted((means @ AXES.T).argmax(axis=1)) == [0, 1, 2, 3]
    assert np.linalg.norm(means, axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize(("distance", "found"), [(0.4, 1), (0.65, 1), (0.75, 2), (1.2, 2)])
def test_the_distance_decides(distance: float, found: int) -> None:
    assert len(centroids(at(distance), People())) == found


@pytest.mark.parametrize(("distance", "found"), [(0.4, 1), (0.65, 2)])
def test_people_who_are_expected_may_be_more_alike(distance: float, found: int) -> None:
    assert len(centroids(at(distance), People(fewest=2))) == found


def test_there_are_never_more_than_there_may_be() -> None:
    embeddings = np.concatenate([around(AXES[i], 5, seed=i) for i in range(5)])
    assert [len(centroids(embeddings, People(most=most))) for most in (1, 2, 3, 9)] == [1, 2, 3, 5]


def test_a_stray_embedding_is_nobody_and_does_not_move_anybody() -> None:
    embeddings = np.concatenate([around(AXES[0], 6), around(AXES[1], 6, seed=1), around(AXES[2], 1)])
    means = centroids(embeddings, People(smallest=2))
    assert len(means) == 2
    assert np.abs(means @ AXES[2]).max() < 0.1


def test_where_everybody_is_a_stray_all_are_one() -> None:
    assert len(centroids(AXES.astype(np.float32), People(smallest=3))) == 1


def test_one_embedding_is_one_person() -> None:
    assert len(centroids(around(AXES[0], 1), People(fewest=2, smallest=4))) == 1


def test_a_voice_is_its_nearest_persons_and_silence_nobodys() -> None:
    people = AXES[:3].astype(np.float32)
    window = np.stack([around(AXES[2], 1)[0], np.full(8, np.nan, np.float32), around(AXES[0], 1)[0]])
    assert nearest(window, people, distinct=False).tolist() == [2, -1, 0]


def test_voices_that_are_heard_at_once_are_different_people() -> None:
    people = AXES[:2].astype(np.float32)
    window = np.stack([around(AXES[0], 1)[0], around(0.9 * AXES[0] + 0.6 * AXES[1], 1, seed=1)[0]])
    assert nearest(window, people, distinct=False).tolist() == [0, 0]
    assert nearest(window, people, distinct=True).tolist() == [0, 1]
    assert nearest(window, people[:1], distinct=True).tolist() == [0, 0]


@pytest.mark.models
@pytest.mark.parametrize("seed", range(5))
def test_people_are_those_of_pyannotes_own_clustering(seed: int) -> None:
    from pyannote.audio.pipelines.clustering import AgglomerativeClustering

    random = np.random.default_rng(seed)
    axes = random.normal(0, 1, (4, 16))
    embeddings = np.concatenate([around(axis, int(random.integers(1, 20)), 0.35, seed) for axis in axes])
    theirs = AgglomerativeClustering().instantiate(
        {"method": "centroid", "threshold": 0.7045654963945799, "min_cluster_size": 3}
    )
    clusters = theirs.cluster(embeddings.copy(), min_clusters=1, max_clusters=20)
    assert (
        len(centroids(embeddings, People(smallest=min(3, max(1, round(0.1 * len(embeddings))))))) == clusters.max() + 1
    )
