"""The whole flow with engines that need weights, on checkpoints that know a few sentences."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.contracts.audio import ANALYSIS_RATE
from tests.fixtures.checkpoints.kokoro import kokoro_checkpoint
from tests.fixtures.checkpoints.marian import TRANSLATIONS, marian_checkpoint
from tests.fixtures.checkpoints.wespeaker import wespeaker_checkpoint
from tests.fixtures.checkpoints.whisper import sentences, whisper_checkpoint
from tests.fixtures.checkpoints.xtts import xtts_checkpoint
from tests.fixtures.measured import Report
from tests.fixtures.media import Picture, Track, write
from tests.fixtures.playback import samples
from tests.fixtures.runs import Finished, Runs
from tests.fixtures.spoken import Scene, scene

pytestmark = [pytest.mark.models, pytest.mark.timeout(900)]


SAID = sentences()[:5]


def film_of(runs: Runs) -> tuple[Path, Scene]:
    """Five known sentences with a picture, and when they are said."""
    truth = scene(SAID, pause=2.0)
    sound = np.concatenate([truth.clip.samples, np.zeros(ANALYSIS_RATE, np.float32)])
    picture = Picture(len(sound) / ANALYSIS_RATE)
    return write(runs.folder / "film.mp4", picture, [Track(sound, rate=ANALYSIS_RATE)]), truth


def use(runs: Runs, engines: dict[str, str], parameters: dict[str, dict[str, str]]) -> None:
    """The engines of the profile `cpu` on small checkpoints, some replaced."""
    small = {
        "diarization.wespeaker": {"model": str(wespeaker_checkpoint()), "segmentation": str(wespeaker_checkpoint())},
        "transcription.whisper": {"model": str(whisper_checkpoint()), "compute_type": "float32", "window": "4"},
        "translation.ctranslate2": {
            "model": str(marian_checkpoint()),
            "family": "opus",
            "pair": "en-es",
            "compute_type": "float32",
        },
        "speech.kokoro": {"model": str(kokoro_checkpoint())},
    }
    runs.engines = ""
    runs.settings = {
        "DUBFLOW_PROFILE": "cpu",
        "DUBFLOW_ENGINES": json.dumps(engines),
        "DUBFLOW_ENGINE_PARAMETERS": json.dumps(small | parameters),
        "DUBFLOW_ALLOW_NONCOMMERCIAL": "true",
    }


def script_of(done: Finished) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(done.results["film.mp4", "es"]["script"]).read_text(encoding="utf-8"))
    return found


def test_known_sentences_come_out_translated_at_their_times(runs: Runs, report: Report) -> None:
    film, truth = film_of(runs)
    use(runs, {}, {})
    done = runs.dub(film, "--to", "es")
    assert done.code == 0, done.said

    script = script_of(done)
    assert script["engines"]["diarization"].startswith("wespeaker/")
    assert len(script["speakers"]) == 1
    assert script["source"]["language"] == "en"
    assert script["engines"]["transcription"].startswith("whisper/")
    assert script["engines"]["speech"].startswith("kokoro/")
    lines = script["utterances"]
    assert [line["source_text"] for line in lines] == [one.text for one in SAID]
    assert [line["target_text"] for line in lines] == [TRANSLATIONS[one.text] for one in SAID]
    errors = [abs(line["start"] - span.start) for line, span in zip(lines, truth.speech, strict=True)]
    report(f"the whole flow with whisper and ctranslate2: start of lines within {max(errors):.2f} s")
    assert max(errors) < 0.5
    assert runs.leftovers() == []


def test_a_film_is_spoken_with_its_speakers_own_voice(runs: Runs) -> None:
    film, truth = film_of(runs)
    use(runs, {"speech": "xtts"}, {"speech.xtts": {"model": str(xtts_checkpoint()), "temperature": "0"}})
    done = runs.dub(film, "--to", "es", "--max-speakers", "1", "--clone-voices")
    assert done.code == 0, done.said

    script = script_of(done)
    assert script["engines"]["speech"].startswith("xtts/")
    assert script["report"]["warnings"] == []
    (speaker,) = script["speakers"]
    assert speaker["voice"].startswith("own-")
    lines = script["utterances"]
    assert [line["target_text"] for line in lines] == [TRANSLATIONS[one.text] for one in SAID]
    assert not any("kept_original" in line["flags"] for line in lines)
    for line, span in zip(lines, truth.speech, strict=True):
        assert abs(line["placed_start"] - span.start) < 0.9
    dubbed = samples(Path(done.results["film.mp4", "es"]["output"]))
    rate = len(dubbed) / script["source"]["duration"]
    heard = [dubbed[round(line["placed_start"] * rate) : round(line["placed_end"] * rate)] for line in lines]
    assert all(np.sqrt(np.mean(part**2)) > 0.003 for part in heard)
    assert runs.leftovers() == []
