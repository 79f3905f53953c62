"""Workers that die, and requests that no engine can serve, next to videos that must not notice."""

from contextlib import suppress

import psutil
import pytest

from tests.fixtures import tones
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.runs import Finished, Runs, media_children

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]


def statuses(finished: Finished) -> dict[tuple[str, str], str]:
    return {result: line["status"] for result, line in finished.results.items()}


def test_what_kills_a_worker_costs_itself_and_nothing_else(runs: Runs) -> None:
    calm = tones.video(runs.folder / "calm.mp4", 20, seed=1)
    unlucky = tones.video(runs.folder / "unlucky.mp4", 20, seed=2, lead=3.0)
    poisonous = tones.video(runs.folder / "poisonous.mp4", 150, seed=3, lead=7.0)
    runs.fault("diarization", "crash-once", "2.6")
    runs.fault("transcription", "crash", "6.6")
    runs.fault("speech", "fail", "gl w")

    finished = runs.dub(calm, unlucky, poisonous, "--to", "es,gl")

    assert finished.code == 1
    videos = ("calm.mp4", "unlucky.mp4", "poisonous.mp4")
    assert {result: status for result, status in statuses(finished).items() if result[1] == "es"} == {
        (name, "es"): "completed" for name in videos
    }
    for name in videos:
        assert finished.results[name, "gl"]["error"]["code"] == "engine_failed"
    assert not (runs.log / "diarization.crash-once").exists()
    assert finished.results["unlucky.mp4", "es"]["report"]["warnings"] == []
    (warning,) = finished.results["poisonous.mp4", "es"]["report"]["warnings"]
    assert warning.startswith("worker_crashed: 1 of ")
    assert finished.results["poisonous.mp4", "es"]["report"]["utterances"] > 0
    assert runs.leftovers() == []


def test_a_decoder_that_is_killed_fails_its_own_video_only(runs: Runs) -> None:
    first = tones.video(runs.folder / "first.mp4", 600, seed=1, picture=False)
    second = tones.video(runs.folder / "second.mp4", 15, seed=2)
    run = runs.start("dub", first, second, "--to", "es", "-o", runs.out, "--json")

    def kill_its_decoders() -> bool:
        # Again and again: the first one may have delivered all in the moment in which it was found.
        for child in media_children(run):
            with suppress(psutil.Error):
                if any(str(first) in file.path for file in child.open_files()):
                    child.kill()
        return run.poll() is not None

    runs.wait_for(kill_its_decoders)
    finished = runs.end(run)
    assert finished.code == 1
    assert finished.results["first.mp4", "es"]["error"]["code"] == "decoder_crashed"
    assert "signal" in finished.results["first.mp4", "es"]["error"]["message"]
    assert finished.results["second.mp4", "es"]["status"] == "completed"
    assert runs.leftovers() == []


def test_a_database_that_restarts_in_the_middle_costs_nothing(
    runs: Runs, postgres: PostgresServer, postgresql_url: str
) -> None:
    runs.settings = {"DUBFLOW_DATABASE_URL": postgresql_url}
    runs.seconds = {"transcription": 0.8, "translation": 0.5, "speech": 0.1}
    sources = [tones.video(runs.folder / f"v{i}.mp4", 40 - 3 * i, seed=i) for i in range(3)]
    run = runs.start("dub", *sources, "--to", "es", "-o", runs.out, "--json")
    for _ in range(2):
        runs.calls_reach(3, run)
        assert run.poll() is None
        postgres.restart()
    finished = runs.end(run)
    assert finished.code == 0
    assert set(statuses(finished).values()) == {"completed"}
    assert max(runs.calls().values()) == 1
