"""What a batch is worth: the same engine with the same requests, all at once and one by one, side by side in one run.

Engines run on the small checkpoints that the tests train, on one thread: the shapes are not a real model's, and neither
are the ratios; on a GPU a batch is worth far more (`benchmarks/gpu`). Needs the full model stack (`make test-models`).

Example:
    python -m benchmarks.batching --json benchmarks/results/batching.json
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors import registry
from actors.contracts.diarization import DiarizationRequest
from actors.contracts.engine import Capability, EngineOptions
from actors.contracts.speech import SpeechRequest
from actors.contracts.transcription import TranscriptionRequest
from actors.contracts.translation import Line, TranslationRequest
from benchmarks.keeping import keep
from tests.fixtures.checkpoints.diarization import diarization_checkpoint
from tests.fixtures.checkpoints.marian import TRANSLATIONS, marian_checkpoint
from tests.fixtures.checkpoints.voxcpm import voxcpm_checkpoint
from tests.fixtures.checkpoints.wespeaker import wespeaker_checkpoint
from tests.fixtures.checkpoints.whisper import sentences, whisper_checkpoint
from tests.fixtures.checkpoints.xtts import SPEAKERS, xtts_checkpoint
from tests.fixtures.spoken import scene

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """Seconds for all requests, medians over rounds; the ratio is that of the rounds' pairs."""

    engine: str
    requests: int
    batched: float
    one_by_one: float
    ratio: float


def engine(capability: Capability, name: str, **parameters: str) -> Any:
    made = registry.create(capability, name, EngineOptions(threads=1, parameters=parameters))  # type: ignore[call-overload]
    made.load()
    return made


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(name: str, engine: Any, requests: Sequence[Any]) -> Row:
    def one_by_one() -> None:
        for request in requests:
            engine.run([request])

    engine.run(requests)  # the first call loads what later ones find
    pairs = [(seconds(lambda: engine.run(requests)), seconds(one_by_one)) for _ in range(ROUNDS)]
    engine.close()
    return Row(
        name,
        len(requests),
        statistics.median(batched for batched, _ in pairs),
        statistics.median(single for _, single in pairs),
        statistics.median(single / batched for batched, single in pairs),
    )


def rows() -> list[Row]:
    scenes = [scene([one]) for one in sentences()] * 2
    heard = [TranscriptionRequest(one.clip, one.speech) for one in scenes]
    who = [DiarizationRequest(one.clip, one.speech) for one in scenes]
    lines = [TranslationRequest("en", "es", (Line("u1", "S1", text, 3.0),)) for text in TRANSLATIONS] * 4
    said = [SpeechRequest(text, "es", SPEAKERS[i % 2]) for i, text in enumerate(list(TRANSLATIONS.values())[:8])]
    whisper = engine(
        Capability.TRANSCRIPTION, "whisper", model=str(whisper_checkpoint()), compute_type="float32", window="4"
    )
    marian = engine(
        Capability.TRANSLATION,
        "ctranslate2",
        model=str(marian_checkpoint()),
        family="opus",
        pair="en-es",
        compute_type="float32",
    )
    pyannote = engine(Capability.DIARIZATION, "pyannote", model=str(diarization_checkpoint()))
    networks = str(wespeaker_checkpoint())
    wespeaker = engine(Capability.DIARIZATION, "wespeaker", model=networks, segmentation=networks)
    xtts = engine(Capability.SPEECH, "xtts", model=str(xtts_checkpoint()), temperature="0")
    voxcpm = engine(Capability.SPEECH, "voxcpm", model=str(voxcpm_checkpoint()), batch="8")
    designed = [
        SpeechRequest(text, "es", f"woman{1 + i % 2}") for i, text in enumerate(list(TRANSLATIONS.values())[:8])
    ]
    return [
        compare("diarization.pyannote", pyannote, who),
        compare("diarization.wespeaker", wespeaker, who),
        compare("transcription.whisper", whisper, heard),
        compare("translation.ctranslate2", marian, lines),
        compare("speech.xtts", xtts, said),
        compare("speech.voxcpm", voxcpm, designed),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    arguments = parser.parse_args()
    found = rows()
    print(f"{'engine':24} {'requests':>8} {'batched s':>10} {'one by one s':>13} {'ratio':>6}")
    for row in found:
        print(f"{row.engine:24} {row.requests:8} {row.batched:10.2f} {row.one_by_one:13.2f} {row.ratio:6.2f}")
    keep(found, arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
