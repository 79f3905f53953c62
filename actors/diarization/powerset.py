"""Who of a window's own speakers speaks in which of its frames, as the network segmentation-3.0 tells it.

The network (Plaquet and Bredin 2023, "Powerset multi-class cross entropy loss for neural speaker diarization") hears
ten seconds and tells three speakers apart, two of them at once. Its speakers are numbered anew in each window.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from actors.contracts.audio import ANALYSIS_RATE, Samples
from actors.diarization.onnx_network import OnnxNetwork

WINDOW_SAMPLES = 10 * ANALYSIS_RATE
FRAMES = 589
FRAME_SAMPLES = 270
FRAME_SECONDS = FRAME_SAMPLES / ANALYSIS_RATE
FIRST_FRAME_SECONDS = 991 / 2 / ANALYSIS_RATE
"""The middle of a window's first frame: each sees 991 samples."""

SPEAKERS = 3
_AT_ONCE = 2
_SETS = [chosen for size in range(_AT_ONCE + 1) for chosen in combinations(range(SPEAKERS), size)]
_MEMBERS = np.array([[speaker in chosen for speaker in range(SPEAKERS)] for chosen in _SETS])
"""(sets, speakers): nobody, each speaker, each two of them; the order in which the network answers."""

Activity = NDArray[np.bool_]
"""Shape (windows, frames, speakers)."""


class SegmentationNetwork:
    """The network, a few windows at a time.

    Args:
        network: Takes (windows, 1, samples), answers (windows, frames, sets) with scores.
        batch: How many windows it sees at once.
    """

    def __init__(self, network: OnnxNetwork, batch: int) -> None:
        self._network = network
        self._batch = batch

    def try_out(self) -> None:
        """Make sure that it is such a network.

        Raises:
            ValueError: It answers in another shape.
        """
        shape = self._network(np.zeros((1, 1, WINDOW_SAMPLES), np.float32)).shape
        if shape != (1, FRAMES, len(_SETS)):
            raise ValueError(f"it answers {shape} to ten seconds of sound, not {(1, FRAMES, len(_SETS))}")

    def activity(self, windows: Sequence[Samples]) -> Activity:
        """Who speaks when.

        Args:
            windows: Ten seconds each; they may share their memory.
        """
        starts = range(0, len(windows), self._batch)
        answers = [self._network(np.stack(windows[i : i + self._batch])[:, None]) for i in starts]
        speaks: Activity = _MEMBERS[np.concatenate(answers).argmax(axis=2)]
        return speaks
