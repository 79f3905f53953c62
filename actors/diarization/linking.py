"""Which speakers of different scenes are one person."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actors.contracts.diarization import SceneSpeaker, VoiceMetric

_APART = 1e12
"""Distance of two speakers of one scene: even averaged over very many scenes it is beyond any real one."""

_REAL = 1e5
"""Distances beyond this come from `_APART` or from an empty voiceprint."""

ENOUGH_SECONDS = 5.0
"""Less speech than this says too little about a voice to join or to separate people by its sound."""

Labels = tuple[tuple[int, ...], ...]
"""For each scene, for each of its speakers in order: the number of the person."""


def link(
    scenes: Sequence[Sequence[SceneSpeaker]],
    metric: VoiceMetric,
    min_speakers: int | None = None,
    max_speakers: int | None = None,
) -> Labels:
    """Give the speakers of all scenes (in order of time) numbers, the same one where they are the same person.

    Speakers with enough speech are joined by average linkage under the metric's threshold. The others are then attached
    to the person in the nearest scene (the likelier voice, then the longer one, where several are there).

    Two speakers of one scene are never one person: this goes before `max_speakers`, which otherwise makes the linkage
    go on, as `min_speakers` makes it stop, as long as there are enough speakers to keep apart. People are numbered from
    0 by their first appearance.
    """
    nodes = [_Node(scene, speaker) for scene, speakers in enumerate(scenes) for speaker in speakers]
    distances = _distances(nodes, metric)
    clear = [i for i, node in enumerate(nodes) if node.is_clear]
    people = _join(distances, clear, metric.threshold, (min_speakers or 1, max_speakers or len(nodes)))
    for unclear in sorted(set(range(len(nodes))).difference(clear), key=lambda i: -nodes[i].speaker.seconds):
        _attach(unclear, people, nodes, distances)
    return _numbered(scenes, people)


@dataclass(frozen=True, slots=True)
class _Node:
    scene: int
    speaker: SceneSpeaker

    @property
    def is_clear(self) -> bool:
        return bool(self.speaker.voiceprint) and self.speaker.seconds >= ENOUGH_SECONDS


_People = list[list[int]]
"""The nodes of each person."""


def _distances(nodes: Sequence[_Node], metric: VoiceMetric) -> NDArray[np.float64]:
    distances = np.minimum(_APART, metric.distances([node.speaker.voiceprint for node in nodes]))
    scene = np.array([node.scene for node in nodes])
    distances[scene[:, None] == scene[None, :]] = _APART
    np.fill_diagonal(distances, 0.0)
    return distances


def _join(
    distances: NDArray[np.float64],
    clear: list[int],
    threshold: float,
    limits: tuple[int, int],
) -> _People:
    if len(clear) < 2:  # noqa: PLR2004 - there is nothing to join
        return [[node] for node in clear]
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    merges = linkage(squareform(distances[np.ix_(clear, clear)]), "average")
    fewest, most = limits
    wanted = max(np.count_nonzero(merges[:, 2] < threshold), len(clear) - most)
    allowed = min(np.count_nonzero(merges[:, 2] < _REAL), max(0, len(clear) - fewest))
    clusters: dict[int, list[int]] = {i: [node] for i, node in enumerate(clear)}
    for made, (one, other) in enumerate(merges[: min(wanted, allowed), :2].astype(int).tolist(), start=len(clear)):
        clusters[made] = clusters.pop(one) + clusters.pop(other)
    return list(clusters.values())


def _attach(node: int, people: _People, nodes: Sequence[_Node], distances: NDArray[np.float64]) -> None:
    scene = nodes[node].scene
    free = [person for person in people if scene not in _scenes(person, nodes)]
    if not free:
        people.append([node])
        return

    def fit(person: list[int]) -> tuple[float, float, float]:
        away = min(abs(scene - other) for other in _scenes(person, nodes))
        return away, float(distances[node, person].mean()), -sum(nodes[other].speaker.seconds for other in person)

    min(free, key=fit).append(node)


def _scenes(person: Iterable[int], nodes: Sequence[_Node]) -> set[int]:
    return {nodes[node].scene for node in person}


def _numbered(scenes: Sequence[Collection[SceneSpeaker]], people: _People) -> Labels:
    ordered = sorted(people, key=min)
    number = {node: label for label, person in enumerate(ordered) for node in person}
    ends = np.cumsum([len(speakers) for speakers in scenes]).tolist()
    return tuple(
        tuple(number[node] for node in range(end - len(speakers), end))
        for speakers, end in zip(scenes, ends, strict=True)
    )
