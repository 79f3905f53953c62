"""Who speaks when, for a given number of speakers.

Windows of speech are clustered in several ways; each clustering is refined by a hidden Markov model with one
full-covariance Gaussian a speaker, re-estimated and re-aligned by Viterbi until it stands; the most likely one wins.
A single clustering is brittle (an error of 10 % or of 40 % by the length of its windows); the likelihood tells which to
believe.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from actors.diarization.frames import SpeechFrames
from actors.diarization.gaussian import Moments, log_densities

Labels = NDArray[np.int64]
"""The speaker of each frame of speech, shape (n,), counted from 0."""

_WINDOW_FRAMES = (100, 150, 200, 300)
_HOP_FRAMES = 25
_SHORTEST_RUN = 40
_LOUD_IN_WINDOW = 20
_LINKAGES: tuple[tuple[Literal["average", "ward"], Literal["cosine", "euclidean"]], ...] = (
    ("average", "cosine"),
    ("ward", "euclidean"),
)

_BLOCK_FRAMES = 5
"""The speaker may change every 50 ms."""

_CHANGE_PENALTY = 40.0
"""Logarithm of the odds against a change of speaker; keeps turns longer than a syllable."""

_ROUNDS = 15
_FEWEST_FRAMES = 130
"""Loud frames, of about 2 s of speech; whoever says less is not told apart."""
_FLOOR = 0.01
"""Added to the variances (of normalised cepstra), so that short turns keep a usable covariance."""


def segment(frames: SpeechFrames, speakers: int) -> Labels | None:
    """The most likely segmentation into exactly `speakers`; None where none gives each of them enough speech."""
    if speakers == 1:
        return np.zeros(len(frames), np.int64)
    cepstra = frames.normalized()
    aligned = [_align(cepstra, frames.loud, labels, speakers) for labels in _clusterings(frames, cepstra, speakers)]
    found = [(likelihood, labels) for likelihood, labels in aligned if labels is not None]
    return max(found, key=lambda candidate: candidate[0])[1] if found else None


def _clusterings(frames: SpeechFrames, cepstra: NDArray[np.float64], speakers: int) -> Iterator[Labels]:
    from scipy.cluster.hierarchy import fcluster, linkage

    for length in _WINDOW_FRAMES:
        windows = [window for window in _windows(frames, length) if frames.loud[window].sum() >= _LOUD_IN_WINDOW]
        if len(windows) < 2 * speakers:
            continue
        sounds = _normalize(np.array([_sound(cepstra[window], frames.loud[window]) for window in windows]))
        if not sounds.any(axis=1).all():
            continue  # Digital silence has no direction.
        for method, metric in _LINKAGES:
            tree = linkage(sounds, method, metric=metric)
            clusters = fcluster(tree, speakers, criterion="maxclust").astype(np.int64) - 1
            if len(np.unique(clusters)) == speakers:
                yield _vote(windows, clusters, len(frames), speakers)


def _windows(frames: SpeechFrames, length: int) -> Iterator[slice]:
    for run in frames.runs():
        if run.stop - run.start < _SHORTEST_RUN:
            continue
        last = max(run.start, run.stop - length)
        for start in (*range(run.start, last, _HOP_FRAMES), last):
            yield slice(start, min(run.stop, start + length))


def _sound(cepstra: NDArray[np.float64], loud: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.concatenate([cepstra[loud].mean(axis=0), cepstra[loud].std(axis=0)])


def _normalize(sounds: NDArray[np.float64]) -> NDArray[np.float64]:
    normalized: NDArray[np.float64] = (sounds - sounds.mean(axis=0)) / (sounds.std(axis=0) + 1e-9)
    return normalized


def _vote(windows: list[slice], clusters: NDArray[np.int64], frames: int, speakers: int) -> Labels:
    """Each frame goes to the cluster of the windows around it, those centred near it counting most."""
    votes = np.zeros((frames, speakers))
    for window, cluster in zip(windows, clusters, strict=True):
        length = window.stop - window.start
        votes[window, cluster] += 1.01 - np.abs(np.linspace(-1, 1, length))
    voted = np.flatnonzero(votes.any(axis=1))
    position = np.searchsorted(voted, np.arange(frames)).clip(0, len(voted) - 1)
    labels: Labels = votes.argmax(axis=1)[voted[position]]
    return labels


def _align(
    cepstra: NDArray[np.float64], loud: NDArray[np.bool_], labels: Labels, speakers: int
) -> tuple[float, Labels | None]:
    likelihood = -np.inf
    for _ in range(_ROUNDS):
        if min(np.count_nonzero(loud & (labels == speaker)) for speaker in range(speakers)) < _FEWEST_FRAMES:
            return -np.inf, None
        densities = np.column_stack([_densities(cepstra, loud & (labels == speaker)) for speaker in range(speakers)])
        densities[~loud] = 0.0
        path, likelihood = _viterbi(_blocks(densities))
        aligned = path.repeat(_BLOCK_FRAMES)[: len(labels)]
        if np.array_equal(aligned, labels):
            break
        labels = aligned
    return likelihood, labels


def _densities(cepstra: NDArray[np.float64], own: NDArray[np.bool_]) -> NDArray[np.float64]:
    voice = Moments.of(cepstra[own])
    return log_densities(cepstra, voice.mean, voice.covariance + _FLOOR * np.eye(cepstra.shape[1]))


def _blocks(densities: NDArray[np.float64]) -> NDArray[np.float64]:
    starts = np.arange(0, len(densities), _BLOCK_FRAMES)
    summed: NDArray[np.float64] = np.add.reduceat(densities, starts, axis=0)
    return summed


def _viterbi(densities: NDArray[np.float64]) -> tuple[Labels, float]:
    """The best path through (blocks, speakers), where each change costs the same."""
    score = densities[0].copy()
    origin = np.zeros(densities.shape, np.int64)
    stay = np.arange(densities.shape[1])
    for block in range(1, len(densities)):
        best = int(score.argmax())
        changed = score[best] - _CHANGE_PENALTY
        origin[block] = np.where(score >= changed, stay, best)
        score = np.maximum(score, changed) + densities[block]
    path = np.zeros(len(densities), np.int64)
    path[-1] = score.argmax()
    for block in range(len(densities) - 1, 0, -1):
        path[block - 1] = origin[block, path[block]]
    return path, float(score.max())
