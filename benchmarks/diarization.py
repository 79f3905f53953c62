"""What diarization costs a processor: CPU seconds a second of audio, on one core, all ways in turn in one run.

`wespeaker` runs with networks of the real ones' shapes, untrained, which hear two people take turns for 60 % of the
time: their work is the real one's, what they say is not. Needs the full model stack (`make test-models`).

Example:
    python -m benchmarks.diarization --json benchmarks/results/diarization.json
"""

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from actors import registry
from actors.contracts.audio import ANALYSIS_RATE, Clip, Span
from actors.contracts.diarization import DiarizationRequest
from actors.contracts.engine import Capability, EngineOptions
from benchmarks.engines import cpu_seconds
from benchmarks.gpu.speaker_nets import SPEAKERS, Embedding, Segmentation, speaks
from benchmarks.keeping import keep
from tests.fixtures.speech import recording

ROUNDS = 2
REPEATS = 2
"""How often the conversation of the tests is heard, to be as long as a scene: a minute."""

STEPS = ("1", "2", "5")


@dataclass(frozen=True, slots=True)
class Row:
    """CPU seconds for a second of audio: the mean of the rounds, and the least and the most."""

    engine: str
    ratio: float
    least: float
    most: float


class _Turns(nn.Module):
    """Does the network's work, and answers that two people take turns."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Segmentation()

    def forward(self, sound: Tensor) -> Tensor:
        scores = self.network(sound)
        heard = speaks(scores)
        silence = 1.0 - heard.sum(-1, keepdim=True)
        pairs = torch.zeros_like(scores[..., SPEAKERS + 1 :])
        return torch.cat((silence, heard, pairs), dim=-1)


class _Voice(nn.Module):
    """The speaker network on features, as it is published."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Embedding()

    def forward(self, features: Tensor) -> Tensor:
        heard = self.network.trunk(features.transpose(1, 2)[:, None]).flatten(1, 2)
        return self.network.embed(torch.cat((heard.mean(-1), heard.std(-1)), dim=-1))


def make_networks(folder: Path) -> None:
    """Write both networks where the engine looks for them."""
    (folder / "onnx").mkdir()
    torch.manual_seed(0)
    for network, example, file, name in (
        (_Turns(), torch.zeros(1, 1, 160_000), "onnx/model.onnx", "sound"),
        (_Voice(), torch.zeros(1, 200, 80), "voxceleb_resnet34_LM.onnx", "feats"),
    ):
        torch.onnx.export(
            network.eval(),
            (example,),
            folder / file,
            input_names=[name],
            dynamic_axes={name: {0: "batch", **({1: "frames"} if name == "feats" else {})}},
            dynamo=False,
        )


def rows(folder: Path) -> list[Row]:
    conversation = recording("two_speakers")
    clip = Clip(np.tile(conversation.samples, REPEATS), ANALYSIS_RATE)
    request = DiarizationRequest(clip, (Span(0.0, clip.seconds),))
    networks = {"model": str(folder), "segmentation": str(folder)}
    ways: dict[str, Any] = {"acoustic": ("acoustic", {})}
    ways |= {f"wespeaker, a window every {step} s": ("wespeaker", {**networks, "step": step}) for step in STEPS}
    engines = {
        way: registry.create(Capability.DIARIZATION, name, EngineOptions(threads=1, parameters=parameters))
        for way, (name, parameters) in ways.items()
    }
    ratios: dict[str, list[float]] = {way: [] for way in engines}
    for engine in engines.values():
        engine.load()
        engine.run([request])  # the first call loads what later ones find
    for _ in range(ROUNDS):
        for way, engine in engines.items():
            before = cpu_seconds()
            engine.run([request])
            ratios[way].append((cpu_seconds() - before) / clip.seconds)
    return [Row(way, statistics.fmean(found), min(found), max(found)) for way, found in ratios.items()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_networks(Path(folder))
        found = rows(Path(folder))
    print(f"{'engine':32} {'CPU s / s':>10} {'least':>8} {'most':>8}")
    for row in found:
        print(f"{row.engine:32} {row.ratio:10.4f} {row.least:8.4f} {row.most:8.4f}")
    keep(found, arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
