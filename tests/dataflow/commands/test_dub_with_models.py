"""The whole flow with engines that need weights, on checkpoints that know a few sentences."""

import json
from pathlib import Path

import numpy as np
import pytest

from actors.contracts.audio import ANALYSIS_RATE
from tests.fixtures.checkpoints.marian import TRANSLATIONS, marian_checkpoint
from tests.fixtures.checkpoints.whisper import sentences, whisper_checkpoint
from tests.fixtures.measured import Report
from tests.fixtures.media import Picture, Track, write
from tests.fixtures.runs import Runs
from tests.fixtures.spoken import scene

pytestmark = [pytest.mark.models, pytest.mark.timeout(900)]


def test_known_sentences_come_out_translated_at_their_times(runs: Runs, report: Report) -> None:
    said = sentences()[:5]
    truth = scene(said, pause=2.0)
    silence = np.zeros(ANALYSIS_RATE, np.float32)
    sound = np.concatenate([truth.clip.samples, silence])
    film = write(
        runs.folder / "film.mp4",
        Picture(len(sound) / ANALYSIS_RATE),
        [Track(sound, rate=ANALYSIS_RATE)],
    )
    parameters = {
        "transcription.whisper": {"model": str(whisper_checkpoint()), "compute_type": "float32", "window": "4"},
        "translation.ctranslate2": {
            "model": str(marian_checkpoint()),
            "family": "opus",
            "pair": "en-es",
            "compute_type": "float32",
        },
    }
    runs.engines = ""
    runs.settings = {"DUBFLOW_PROFILE": "cpu", "DUBFLOW_ENGINE_PARAMETERS": json.dumps(parameters)}
    # One synthetic voice that says word by word is no fair riddle for a diarizer that knows no voices.
    done = runs.dub(film, "--to", "es", "--max-speakers", "1")
    assert done.code == 0, done.said

    script = json.loads(Path(done.results["film.mp4", "es"]["script"]).read_text(encoding="utf-8"))
    assert script["source"]["language"] == "en"
    assert script["engines"]["transcription"].startswith("whisper/")
    lines = script["utterances"]
    assert [line["source_text"] for line in lines] == [one.text for one in said]
    assert [line["target_text"] for line in lines] == [TRANSLATIONS[one.text] for one in said]
    errors = [abs(line["start"] - span.start) for line, span in zip(lines, truth.speech, strict=True)]
    report(f"the whole flow with whisper and ctranslate2: start of lines within {max(errors):.2f} s")
    assert max(errors) < 0.5
    assert runs.leftovers() == []
