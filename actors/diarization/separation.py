"""How sure it is that the speakers of a segmentation are different people."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from actors.diarization.frames import SpeechFrames
from actors.diarization.gaussian import Moments, log_densities
from actors.diarization.segmentation import Labels

_PIECE_FRAMES = 150
_LOUD_IN_PIECE = 20
_FEWEST_FRAMES = 60
_SHARED = 0.5
"""How much of each covariance is that of all speakers together."""

_FLOOR = 0.1
_MOST_EVIDENCE = 4.0
"""No single piece of speech may decide."""


def separation(frames: SpeechFrames, labels: Labels) -> float:
    """Evidence for the pair of speakers that differs least, in nats a frame; about 0 to 2 within one voice.

    Speech is cut into pieces of about 1.5 s. Each piece is judged by models that have not heard it: how much likelier
    is it under its own speaker than under the other one? Clusters of one voice, made by chance and by what was said, do
    not survive this; a likelihood gain with a penalty (BIC) grows with the length of the speech instead. The models are
    Gaussians by regularised discriminant analysis (Friedman 1989, J. Am. Stat. Assoc. 84).
    """
    cepstra = frames.normalized()
    pieces = [(piece, labels[piece[0]]) for piece in _pieces(frames, labels)]
    voices = {speaker: Moments.of(cepstra[frames.loud & (labels == speaker)]) for speaker in np.unique(labels).tolist()}
    return min(
        _evidence([(cepstra[piece], speaker) for piece, speaker in pieces if speaker in pair], voices, pair)
        for pair in combinations(voices, 2)
    )


def _pieces(frames: SpeechFrames, labels: Labels) -> Iterator[NDArray[np.int64]]:
    """The loud frames of each piece; a piece belongs to one speaker and has no gap."""
    for run in frames.runs():
        changes = np.flatnonzero(np.diff(labels[run])) + 1 + run.start
        for turn in np.split(np.arange(run.start, run.stop), changes - run.start):
            for piece in np.array_split(turn, max(1, round(len(turn) / _PIECE_FRAMES))):
                loud = piece[frames.loud[piece]]
                if len(loud) >= _LOUD_IN_PIECE:
                    yield loud


def _evidence(
    pieces: list[tuple[NDArray[np.float64], int]], voices: dict[int, Moments], pair: tuple[int, int]
) -> float:
    weights, values = [0.0], [0.0]
    for piece, speaker in pieces:
        heard = {one: voices[one] - Moments.of(piece) if one == speaker else voices[one] for one in pair}
        other = pair[1] if speaker == pair[0] else pair[0]
        weights.append(len(piece))
        values.append(_log_odds(piece, heard[speaker], heard[other]))
    return float(np.average(values, weights=weights)) if sum(weights) else 0.0


def _log_odds(piece: NDArray[np.float64], own: Moments, other: Moments) -> float:
    """Evidence that a piece is its own speaker's; negative where that speaker said nothing else."""
    if own.count < _FEWEST_FRAMES:
        return -1.0
    shared = (own.count * own.covariance + other.count * other.covariance) / (own.count + other.count)
    odds = _mean_density(piece, own, shared) - _mean_density(piece, other, shared)
    return float(np.clip(odds, -_MOST_EVIDENCE, _MOST_EVIDENCE))


def _mean_density(piece: NDArray[np.float64], voice: Moments, shared: NDArray[np.float64]) -> float:
    covariance = (1 - _SHARED) * voice.covariance + _SHARED * shared + _FLOOR * np.eye(len(shared))
    return float(log_densities(piece, voice.mean, covariance).mean())
