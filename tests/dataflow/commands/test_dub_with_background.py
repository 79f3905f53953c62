"""The whole program with the real separator, on a network that takes all below 600 Hz for voices."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from tests.fixtures.checkpoints.demucs import demucs_checkpoint
from tests.fixtures.measured import Report
from tests.fixtures.music import MUSIC, MUSIC_LEVEL, RATE, VOICE, VOICE_LEVEL, decibels, film, levels
from tests.fixtures.playback import onsets, samples
from tests.fixtures.runs import CAPABILITIES, Runs

pytestmark = [pytest.mark.models, pytest.mark.timeout(900)]


def test_a_published_film_has_its_music_and_not_its_old_voices(runs: Runs, report: Report) -> None:
    source = film(runs.folder, picture=True)
    runs.settings = {
        "DUBFLOW_ENGINES": json.dumps({**dict.fromkeys(CAPABILITIES, "simulated"), "separation": "demucs"}),
        "DUBFLOW_ENGINE_PARAMETERS": json.dumps({"separation.demucs": {"model": str(demucs_checkpoint())}}),
    }
    done = runs.dub(source, "--to", "es", "--keep-background")
    assert done.code == 0, done.said
    line = done.results["film.mkv", "es"]
    assert line["report"]["warnings"] == []
    assert line["report"]["stage_seconds"]["separation"] > 0
    script = json.loads(Path(line["script"]).read_text(encoding="utf-8"))
    assert script["engines"]["separation"].startswith("demucs/")

    output = Path(line["output"])
    with av.open(str(output)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio", "audio"]
    sound = samples(output)
    changes = [np.abs(decibels(levels(sound, MUSIC[i])[1:-2, i] / MUSIC_LEVEL)).max() for i in range(2)]
    voice = decibels(levels(sound, VOICE).max() / VOICE_LEVEL)
    report(f"keep background, demucs by hand: music within {max(changes):.2f} dB, the old voice at {voice:.0f} dB")
    assert max(changes) < 1
    assert voice < -35
    # The dub is heard where the people spoke.
    assert len(onsets(sound[:, 0], RATE, 0.06)) >= 3
    assert runs.leftovers() == []
