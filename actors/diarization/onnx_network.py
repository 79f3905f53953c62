from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actors.onnx_session import open_network


class OnnxNetwork:
    """A network with one input and one answer, on the processor.

    Args:
        file: The network.
        threads: How many it may keep busy.
    """

    def __init__(self, file: Path, threads: int) -> None:
        self._session = open_network(file, threads)
        self._input = self._session.get_inputs()[0].name

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """What it makes of a batch."""
        answer: NDArray[np.float32] = self._session.run(None, {self._input: values})[0]
        return answer
