"""What the speakers of windows sound like: embeddings of the frames in which each speaks."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from actors.contracts.audio import Samples
from actors.diarization.kaldi_features import FRAME_SAMPLES, LENGTH_SAMPLES, mel_energies
from actors.diarization.onnx_network import OnnxNetwork
from actors.diarization.powerset import FRAME_SECONDS, FRAMES, SPEAKERS, WINDOW_SAMPLES, Activity

_BANDS = 80
_WINDOW_FRAMES = 1 + (WINDOW_SAMPLES - LENGTH_SAMPLES) // FRAME_SAMPLES
_QUANTUM = 25
"""Speech is shortened to a multiple of so many frames (0.25 s), so that there are windows of equal length to batch; the
network's answer would change with padding. Whoever speaks for less is not embedded."""

_CLEAN_SECONDS = 0.5
"""Where a speaker is alone for less, what is said at the same time as others has to do."""

_SEEN_FRAME = np.arange(_WINDOW_FRAMES) * FRAMES // _WINDOW_FRAMES
"""The frame of the segmentation that each frame of the features lies in."""

Voices = NDArray[np.float32]
"""Embeddings at length 1, shape (windows, speakers, dimensions); not a number where a speaker said too little."""


class VoiceNetwork:
    """A speaker embedding network, a few speakers at a time.

    Args:
        network: Takes (batch, frames, 80) Mel energies of mean zero, answers (batch, dimensions).
        batch: How many it sees at once.
    """

    def __init__(self, network: OnnxNetwork, batch: int) -> None:
        self._network = network
        self._batch = batch
        self._dimensions = 0

    def try_out(self) -> None:
        """Learn how long its embeddings are.

        Raises:
            ValueError: It is no such network.
        """
        shape = self._network(np.zeros((1, _WINDOW_FRAMES, _BANDS), np.float32)).shape
        if len(shape) != 2 or shape[0] != 1:  # noqa: PLR2004 - batch and dimensions
            raise ValueError(f"it answers {shape} to a window, not one embedding")
        self._dimensions = shape[1]

    def voices(self, recordings: Sequence[tuple[Samples, Activity]], step: int) -> list[Voices]:
        """The voices of each recording.

        Args:
            recordings: Samples, and who speaks in their windows.
            step: Samples between the starts of two windows; a multiple of 160.
        """
        made = [np.full((len(activity), SPEAKERS, self._dimensions), np.nan, np.float32) for _, activity in recordings]
        equally_long: dict[int, list[tuple[Voices, tuple[int, int], NDArray[np.float32]]]] = defaultdict(list)
        for (samples, activity), voices in zip(recordings, made, strict=True):
            for place, heard in _heard(samples, activity, step):
                equally_long[len(heard)].append((voices, place, heard))
        for some in equally_long.values():
            for first in range(0, len(some), self._batch):
                batch = some[first : first + self._batch]
                answers = self._network(np.stack([heard for _, _, heard in batch]))
                for (voices, place, _), answer in zip(batch, answers, strict=True):
                    voices[place] = answer / max(float(np.linalg.norm(answer)), 1e-12)
        return made


def _heard(samples: Samples, activity: Activity, step: int) -> Iterator[tuple[tuple[int, int], NDArray[np.float32]]]:
    """For each speaker of each window: the features to embed."""
    energies = mel_energies(samples, _BANDS)
    for number, window in enumerate(activity):
        features = energies[number * step // FRAME_SAMPLES :][:_WINDOW_FRAMES]
        if not len(features):
            continue
        features = features - features.mean(axis=0)
        spoken = _telling(window)[_SEEN_FRAME[: len(features)]]
        for speaker in range(SPEAKERS):
            heard = features[spoken[:, speaker]]
            left_out = len(heard) % _QUANTUM
            if len(heard) >= _QUANTUM:
                yield (number, speaker), heard[left_out // 2 : len(heard) - (left_out + 1) // 2]


def alone(activity: Activity) -> Activity:
    """The frames of each speaker in which nobody else speaks; of windows, or of one."""
    speaks_alone: Activity = activity & (activity.sum(axis=-1, keepdims=True) == 1)
    return speaks_alone


def _telling(window: Activity) -> Activity:
    """The frames that tell most about each speaker: those alone, or all where these are too few; (frames, speakers)."""
    clean = alone(window)
    enough = clean.sum(axis=0) * FRAME_SECONDS >= _CLEAN_SECONDS
    chosen: Activity = np.where(enough, clean, window)
    return chosen
