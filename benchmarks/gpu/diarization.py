"""Diarization: pyannote's two networks over the windows of scenes, batched by dubflow's own code.

The networks have the shapes of the community pipeline (SincNet and LSTM; ResNet34) in plain PyTorch, so that nothing of
pyannote is needed; `actors/diarization/pyannote_batches.py` cuts the windows, fills the batches and runs the trunk of
the speaker network once a window. What follows on the processor (counting, clustering) is not part of it.

Example:
    python -m benchmarks.gpu.diarization --json diarization.json
    python -m benchmarks.gpu.diarization --device cpu --tiny
"""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.gpu import hour
from benchmarks.gpu.common import Settings, Stage, arguments, require, run

BATCHES = (32, 64, 128, 256)
SCENE_SECONDS, SCENES = 120.0, 8
"""Scenes that an actor has in hand share the batches."""


@dataclass(frozen=True, slots=True)
class _Clock:
    """`pyannote.core.SlidingWindow`, as far as the batches need it."""

    start: float
    duration: float
    step: float


@dataclass(frozen=True, slots=True)
class _Feature:
    """`pyannote.core.SlidingWindowFeature`, likewise."""

    data: Any
    sliding_window: _Clock

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        del copy
        return np.asarray(self.data, dtype)


@contextlib.contextmanager
def _core() -> Iterator[None]:
    """The library's core, or what the batches need of it."""
    known = sys.modules.get("pyannote.core")
    stand_in = ModuleType("pyannote.core")
    stand_in.SlidingWindow, stand_in.SlidingWindowFeature = _Clock, _Feature  # type: ignore[attr-defined]
    sys.modules.setdefault("pyannote", ModuleType("pyannote"))
    sys.modules["pyannote.core"] = stand_in
    try:
        yield
    finally:
        if known is None:
            del sys.modules["pyannote.core"]
        else:
            sys.modules["pyannote.core"] = known


class Diarization:
    """All windows of some scenes, through both networks.

    Float32 is what the library runs; the halves are PyTorch's mixed precision.
    """

    name = "diarization"
    engine = "diarization.pyannote"
    library = "torch"
    hour = hour.SECONDS

    def __init__(self, settings: Settings) -> None:
        import torch

        from benchmarks.gpu.speaker_nets import Embedding, Segmentation

        self._settings = settings
        self._mixed = settings.dtype != "float32"
        self._scenes, self._seconds = (2, 10.5) if settings.tiny else (SCENES, SCENE_SECONDS)
        segmentation, embedding = (
            (Segmentation(8, 1), Embedding(4, (1, 1))) if settings.tiny else (Segmentation(), Embedding())
        )
        self._segmentation: Any = segmentation.to(settings.device).eval()
        self._embedding: Any = embedding.to(settings.device).eval()
        length = round(self._seconds * 16_000)
        self._sounds = [torch.randn(length).numpy() for _ in range(self._scenes)]

    def step(self, batch: int) -> float:
        """Windows that a network sees at once."""
        from actors.diarization.pyannote_batches import BatchedPipeline

        with _core():
            BatchedPipeline(self._pipeline(), batch).run(self._sounds, [{}] * self._scenes)
        return self._scenes * self._seconds

    def _pipeline(self) -> Any:
        """What the batches know of the library's pipeline."""
        from benchmarks.gpu.speaker_nets import DIMENSIONS, RATE, STEP_SECONDS, WINDOW_SECONDS

        network = _Network(self._voices, DIMENSIONS)
        audio = SimpleNamespace(get_num_samples=lambda seconds: round(seconds * RATE))
        specifications = SimpleNamespace(powerset=True)
        return SimpleNamespace(
            _segmentation=SimpleNamespace(
                model=SimpleNamespace(audio=audio, specifications=specifications),
                duration=WINDOW_SECONDS,
                step=STEP_SECONDS,
                infer=self._activity,
            ),
            _embedding=network,
            embedding_exclude_overlap=True,
            apply=lambda file, **_limits: file,
        )

    def _activity(self, windows: Any) -> Any:
        from benchmarks.gpu.speaker_nets import speaks

        with self._running():
            return speaks(self._segmentation(windows.to(self._settings.device))).cpu().numpy()

    def _voices(self, windows: Any, masks: Any) -> Any:
        device = self._settings.device
        with self._running():
            return self._embedding(windows.to(device), masks.to(device)).float().cpu().numpy()

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        import torch

        with (
            torch.inference_mode(),
            torch.autocast(self._settings.device, self._settings.torch_dtype, enabled=self._mixed),
        ):
            yield


@dataclass(frozen=True, slots=True)
class _Network:
    """The speaker network, as the library's pipeline holds it."""

    voices: Any
    dimension: int
    min_num_samples: int = 400

    def __call__(self, windows: Any, masks: Any) -> Any:
        return self.voices(windows, masks)


def build(settings: Settings) -> Stage:
    """The stage."""
    require("numpy", "it comes with PyTorch")
    return Diarization(settings)


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print and keep it; the exit status."""
    return run(build, arguments(__doc__, given, batches=BATCHES, dtypes=("float32", "bfloat16", "float16")))


if __name__ == "__main__":
    sys.exit(main())
