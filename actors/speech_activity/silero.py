"""Silero voice activity detection, version 6, from the file that ships inside the faster-whisper package."""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.contracts.audio import Samples
from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.speech_activity import WINDOW_SAMPLES
from actors.onnx_session import open_network

_CONTEXT_SAMPLES = 64
_STATE_SHAPE = (1, 1, 128)
_WINDOWS_A_RUN = 1000
"""Bounds the memory of one call (2 MB of input); results do not depend on it."""


class Silero:
    """Speech probability of every 32 ms; one session serves any number of streams, one call at a time.

    The network is recurrent: its state (`h`, `c`) and the last 64 samples are carried from window to window, as in
    the reference implementation (github.com/snakers4/silero-vad), so a stream may be fed in pieces of any size.
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._session: Any = None

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        return EngineInfo(
            name="silero",
            capability=Capability.SPEECH_ACTIVITY,
            version="1",
            model=f"silero-vad-v6@faster-whisper-{version('faster-whisper')}",
            licence="MIT",
        )

    def check(self) -> None:
        """Tell whether the network's file is there.

        Raises:
            EngineError: `model_missing`.
        """
        self._model_file()

    def load(self) -> None:
        """Open the network on one thread: it is too small to gain from more.

        Raises:
            EngineError: `model_missing` or `model_load_failed`.
        """
        file = self._model_file()
        try:
            self._session = open_network(file, 1, arena=False)
        except Exception as error:  # onnxruntime raises its own family of errors, without a public base class.
            raise EngineError(
                f"the speech activity model {file.name} could not be opened: {error}; give a Silero v6 ONNX file or "
                "reinstall faster-whisper",
                code="model_load_failed",
            ) from error

    def close(self) -> None:
        """Free the network."""
        self._session = None

    def stream(self) -> "SileroStream":
        """Start at the beginning of one source.

        Raises:
            EngineError: `model_load_failed` before `load`.
        """
        if self._session is None:
            raise EngineError("load the speech activity engine before it is used", code="model_load_failed")
        return SileroStream(self._session)

    def _model_file(self) -> Path:
        if self._options.model:
            file = Path(self._options.model)
        else:
            # The package is located, not imported: importing it would pull in CTranslate2 and the tokenizers.
            spec = find_spec("faster_whisper")
            folders = (spec and spec.submodule_search_locations) or ["faster_whisper"]
            file = Path(folders[0]) / "assets" / "silero_vad_v6.onnx"
        if not file.is_file():
            raise EngineError(
                f"the speech activity model {file} is missing; run: pip install --force-reinstall faster-whisper",
                code="model_missing",
            )
        return file


class SileroStream:
    """The running state over one source."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._h = np.zeros(_STATE_SHAPE, np.float32)
        self._c = np.zeros(_STATE_SHAPE, np.float32)
        self._context = np.zeros(_CONTEXT_SAMPLES, np.float32)
        self._rest = np.zeros(0, np.float32)

    def push(self, samples: Samples) -> NDArray[np.float32]:
        """Take the next samples and give the probability of each window completed by them."""
        waiting = np.concatenate([self._rest, samples.astype(np.float32, copy=False)])
        complete = len(waiting) // WINDOW_SAMPLES * WINDOW_SAMPLES
        self._rest = waiting[complete:].copy()
        block = WINDOW_SAMPLES * _WINDOWS_A_RUN
        parts = [self._probabilities(waiting[i : min(i + block, complete)]) for i in range(0, complete, block)]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def flush(self) -> NDArray[np.float32]:
        """Give the probability of the last, zero-padded window; empty where no samples are left over."""
        if not len(self._rest):
            return np.zeros(0, np.float32)
        return self.push(np.zeros(WINDOW_SAMPLES - len(self._rest), np.float32))

    def _probabilities(self, samples: Samples) -> NDArray[np.float32]:
        windows = samples.reshape(-1, WINDOW_SAMPLES)
        contexts = np.vstack([self._context, windows[:-1, -_CONTEXT_SAMPLES:]])
        inputs = {"input": np.hstack([contexts, windows]), "h": self._h, "c": self._c}
        probabilities, self._h, self._c = self._session.run(None, inputs)
        self._context = windows[-1, -_CONTEXT_SAMPLES:].copy()
        flat: NDArray[np.float32] = probabilities.reshape(-1)
        return flat
