"""One recording out of its windows, as pyannote's pipelines do it (Bredin 2023).

How many people speak in a frame is the mean of what its windows say; those speak whom most windows hear there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actors.diarization.clustering import Clusters
from actors.diarization.powerset import FIRST_FRAME_SECONDS, FRAME_SAMPLES, FRAME_SECONDS, Activity


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Who speaks when in a recording.

    Attributes:
        speaks: Shape (frames, people).
    """

    speaks: NDArray[np.bool_]

    def spans(self, person: int) -> Iterator[tuple[float, float]]:
        """When a person speaks, in seconds from the start of the recording."""
        edges = np.flatnonzero(np.diff(self.speaks[:, person].astype(np.int8), prepend=0, append=0))
        for first, last in edges.reshape(-1, 2).tolist():
            yield FIRST_FRAME_SECONDS + first * FRAME_SECONDS, FIRST_FRAME_SECONDS + last * FRAME_SECONDS

    def alone(self, person: int) -> float:
        """Seconds in which a person speaks and nobody else does."""
        return int(np.count_nonzero(self.speaks[:, person] & (self.speaks.sum(axis=1) == 1))) * FRAME_SECONDS


def stitch(activity: Activity, who: Clusters, people: int, step: int) -> Timeline:
    """Put windows together.

    Args:
        activity: Who of its own speakers speaks in each window.
        who: Shape (windows, speakers): the person that each is, -1 for nobody.
        people: How many there are.
        step: Samples between the starts of two windows.
    """
    windows, frames, speakers = activity.shape
    starts = np.rint(np.arange(windows) * step / FRAME_SAMPLES).astype(int).tolist()
    length = starts[-1] + frames
    heard = np.zeros((length, people))
    voices, seen = np.zeros(length), np.zeros(length)
    for start, window, numbers in zip(starts, activity, who, strict=True):
        here = slice(start, start + frames)
        named = np.zeros((frames, people), np.bool_)
        for speaker in range(speakers):
            if numbers[speaker] >= 0:
                named[:, numbers[speaker]] |= window[:, speaker]
        heard[here] += named
        voices[here] += window.sum(axis=1)
        seen[here] += 1
    at_once = np.rint(voices / np.maximum(seen, 1))
    rank = np.argsort(np.argsort(-heard, axis=1, kind="stable"), axis=1)
    return Timeline((rank < at_once[:, None]) & (heard > 0))
