"""Separation: voices out of the rest of the sound, by Hybrid Transformer Demucs in the shape of `htdemucs`.

The sound is stereo at 44.1 kHz, in windows that overlap by a quarter, as dubflow's engine cuts it.

Example:
    python -m benchmarks.gpu.separation --json separation.json
    python -m benchmarks.gpu.separation --device cpu --tiny
"""

import sys
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from actors.separation.demucs_models import RATE
from actors.separation.windows import OVERLAP
from benchmarks.gpu import hour
from benchmarks.gpu.common import Settings, Stage, arguments, require, run

BATCHES = (1, 4, 8, 16)
SEGMENT = Fraction(39, 5)
SOURCES = ("drums", "bass", "other", "vocals")


class Separation:
    """Windows of the sound, each by itself; mixed precision but for the spectra."""

    name = "separation"
    engine = "separation.demucs"
    library = "demucs"
    hour = hour.SECONDS

    def __init__(self, settings: Settings) -> None:
        from demucs.htdemucs import HTDemucs

        self._settings = settings
        self._segment = Fraction(1, 2) if settings.tiny else SEGMENT
        shape = {"channels": 8, "t_layers": 1, "t_heads": 2} if settings.tiny else {"bottom_channels": 512}
        made: Any = HTDemucs(list(SOURCES), segment=self._segment, **shape)
        self._model = made.to(settings.device).eval()

    def step(self, batch: int) -> float:
        """Windows at once."""
        import torch

        settings = self._settings
        sound = torch.randn(batch, 2, int(self._segment * RATE), device=settings.device)
        mixed = settings.dtype != "float32"
        with torch.inference_mode(), torch.autocast(settings.device, settings.torch_dtype, enabled=mixed):
            self._model(sound)
        return batch * float(self._segment) * (1 - OVERLAP)


def build(settings: Settings) -> Stage:
    """The stage."""
    require("demucs.htdemucs", "bring its wheel; see benchmarks/gpu/README.md")
    return Separation(settings)


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print and keep it; the exit status."""
    return run(build, arguments(__doc__, given, batches=BATCHES, dtypes=("float32", "bfloat16"), libraries=("demucs",)))


if __name__ == "__main__":
    sys.exit(main())
