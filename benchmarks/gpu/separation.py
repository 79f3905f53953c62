"""Separation: voices out of the rest of the sound, by Hybrid Demucs as torchaudio has it.

dubflow has no such engine yet; this tells what one would cost. The sound is stereo at 44.1 kHz, in segments that
overlap by a quarter. The transformer in the middle of `htdemucs` comes on top of what is measured here.

Example:
    python -m benchmarks.gpu.separation --json separation.json
    python -m benchmarks.gpu.separation --device cpu --tiny
"""

import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.gpu import hour
from benchmarks.gpu.common import Settings, Stage, arguments, require, run

BATCHES = (1, 4, 8, 16)
RATE = 44_100
SEGMENT_SECONDS, OVERLAP = 7.8, 0.25
SOURCES = ("drums", "bass", "other", "vocals")


class Separation:
    """Segments of the sound, each by itself; mixed precision but for the spectra."""

    name = "separation"
    engine = "separation.demucs"
    library = "torchaudio"
    hour = hour.SECONDS

    def __init__(self, settings: Settings) -> None:
        from torchaudio.models import HDemucs, hdemucs_high

        self._settings = settings
        self._seconds = 0.5 if settings.tiny else SEGMENT_SECONDS
        made = HDemucs(list(SOURCES), channels=4, nfft=1024, depth=5) if settings.tiny else hdemucs_high(list(SOURCES))
        self._model: Any = made.to(settings.device).eval()

    def step(self, batch: int) -> float:
        """Segments at once."""
        import torch

        settings = self._settings
        sound = torch.randn(batch, 2, round(self._seconds * RATE), device=settings.device)
        mixed = settings.dtype != "float32"
        with torch.inference_mode(), torch.autocast(settings.device, settings.torch_dtype, enabled=mixed):
            self._model(sound)
        return batch * self._seconds * (1 - OVERLAP)


def build(settings: Settings) -> Stage:
    """The stage."""
    require("torchaudio", "bring its wheel; see benchmarks/gpu/README.md")
    return Separation(settings)


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print and keep it; the exit status."""
    return run(
        build, arguments(__doc__, given, batches=BATCHES, dtypes=("float32", "bfloat16"), libraries=("torchaudio",))
    )


if __name__ == "__main__":
    sys.exit(main())
