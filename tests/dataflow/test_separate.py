"""Music and effects under the dub, through the whole flow: voices below 600 Hz, music above, every level known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.contracts.audio import Span
from cluster.ledger.part_state import MAX_PART_ATTEMPTS
from cluster.ledger.records import Job, JobStatus, PartId, Stage, StageStatus
from dataflow import artefacts, engines
from dataflow.context import JobViews
from dataflow.records import JobOptions, to_plain
from dataflow.schema import SceneRow
from tests.fixtures.flows import SteppedFlow
from tests.fixtures.media import Sound, Track, write
from tests.fixtures.music import MUSIC, MUSIC_LEVEL, RATE, SPOKEN, VOICE, VOICE_LEVEL, decibels, film, levels, tenths
from tests.fixtures.playback import samples

KEEPING = to_plain(JobOptions(keep_background=True))


def dub(flow: SteppedFlow, source: Path, *languages: str, options: dict[str, Any] = KEEPING) -> Job:
    job = flow.submit(source, *(languages or ("es",)), options=options)
    flow.run()
    done = flow.ledger.job(job.id)
    assert done.status is JobStatus.COMPLETED, done.failure
    return done


def dubbed(flow: SteppedFlow, job: Job, language: str = "es") -> Sound:
    (output,) = (one for one in flow.ledger.outputs(job.id) if one.language == language)
    uri = output.files.get("audio") or output.files["video"]
    return samples(flow.blobs.local_path(uri.rpartition("/blobs/")[2]))  # type: ignore[attr-defined]


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_music_plays_on_at_its_level_and_nobody_hears_the_voices(separating_flow: SteppedFlow, rate: int) -> None:
    flow = separating_flow
    job = dub(flow, film(flow.runs.folder, rate=rate))
    sound = dubbed(flow, job)
    for channel, hertz in enumerate(MUSIC):
        music = levels(sound, hertz, rate)[:, channel]
        # Between and under the lines, at every border of a scene: the same music, to half a decibel.
        assert np.abs(decibels(music[:-2] / MUSIC_LEVEL)).max() < 0.5
        assert decibels(levels(sound, hertz, rate)[:, 1 - channel].max() / MUSIC_LEVEL) < -30
    assert decibels(levels(sound, VOICE, rate).max() / VOICE_LEVEL) < -45
    assert [code for code, _ in job.warnings] == []
    parts = flow.ledger.parts(job.id, Stage.SEPARATION)
    assert {part.status for part in parts} == {StageStatus.COMPLETED}
    # The dub itself is there.
    assert levels(sound, 180.0, rate)[tenths(SPOKEN, len(sound) * 10 // rate)].max() > 0.02
    document = json.loads(flow.blobs.get_bytes(flow.ledger.outputs(job.id)[0].script))
    assert document["engines"]["separation"] == "simulated/1/none"
    # What separation alone needs is not kept any longer.
    assert not [key for key in flow.blobs.keys("artefacts") if "/sound/" in key]


def test_sound_that_begins_after_the_picture_stays_where_it_was(separating_flow: SteppedFlow) -> None:
    flow = separating_flow
    sound = dubbed(flow, dub(flow, film(flow.runs.folder, picture=True, start=1.48)))
    for channel, hertz in enumerate(MUSIC):
        music = levels(sound, hertz)[:, channel]
        assert decibels(music[:13].max() / MUSIC_LEVEL) < -40
        # A background that lay beside its original by half a period would silence the music at every border.
        assert np.abs(decibels(music[16:-2] / MUSIC_LEVEL)).max() < 1
    assert decibels(levels(sound, VOICE).max() / VOICE_LEVEL) < -45


def test_a_mono_film_stays_mono(separating_flow: SteppedFlow) -> None:
    flow = separating_flow
    sound = dubbed(flow, dub(flow, film(flow.runs.folder, channels=1)))
    assert sound.shape[1] == 1
    assert np.abs(decibels(levels(sound, MUSIC[0])[:-2] / MUSIC_LEVEL)).max() < 0.5
    assert decibels(levels(sound, VOICE).max() / VOICE_LEVEL) < -45


def test_a_scene_that_cannot_be_separated_is_heard_low_and_the_result_says_so(separating_flow: SteppedFlow) -> None:
    flow = separating_flow
    flow.runs.fault("separation", "fail", "11.")
    job = dub(flow, film(flow.runs.folder))
    ((code, message),) = job.warnings
    assert code == "background_low"
    assert message.startswith("in 1 of 3 scenes")
    sound = dubbed(flow, job)
    moments = len(sound) * 10 // RATE
    failed, others = tenths([Span(12, 14)], moments), tenths([Span(0, 10.5), Span(15.5, 23.5)], moments)
    for channel, hertz in enumerate(MUSIC):
        music = decibels(levels(sound, hertz)[:, channel] / MUSIC_LEVEL)
        assert music[failed].mean() == pytest.approx(-18, abs=1)
        assert np.abs(music[others]).max() < 0.5
    voice = decibels(levels(sound, VOICE).max(axis=1) / VOICE_LEVEL)
    assert voice[failed].max() == pytest.approx(-18, abs=1)
    assert voice[others].max() < -45


def test_an_engine_that_cannot_be_loaded_costs_no_job(separating_flow: SteppedFlow) -> None:
    flow = separating_flow
    flow.runs.fault("separation", "unloadable")
    job = dub(flow, film(flow.runs.folder))
    ((code, message),) = job.warnings
    assert (code, message.partition(" scenes")[0]) == ("background_low", "in 3 of 3")
    assert "does not load" in message


def test_a_scene_that_takes_its_worker_down_every_time_is_left_out(separating_flow: SteppedFlow) -> None:
    flow = separating_flow
    job = flow.submit(film(flow.runs.folder), "es", options=KEEPING)
    separator = engines.separator(flow.context.plan)
    assert separator is not None

    def crash(stage: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if stage == "Open":
            row = SceneRow.from_dict(rows[1])
            view = JobViews(flow.ledger).of(row.job_id, row.fence)
            key = artefacts.scene_background(view, row.scene, separator.info)
            for _ in range(MAX_PART_ATTEMPTS):
                flow.ledger.begin(row.lease, PartId(Stage.SEPARATION, row.index), key)
        return rows

    calls = flow.run(crash)
    done = flow.ledger.job(job.id)
    assert done.status is JobStatus.COMPLETED
    ((code, message),) = done.warnings
    assert code == "background_low"
    assert "took down its worker" in message
    assert len([name for capability, name in calls if capability == "separation"]) == 2


def test_who_does_not_keep_the_background_pays_nothing_for_it(separating_flow: SteppedFlow) -> None:
    flow = separating_flow
    job = dub(flow, film(flow.runs.folder), options=to_plain(JobOptions()))
    assert not any(capability == "separation" for capability, _ in flow.runs.calls())
    assert not [key for key in flow.blobs.keys("artefacts") if "/sound/" in key or "/background/" in key]
    assert decibels(levels(dubbed(flow, job), MUSIC[0]).max() / MUSIC_LEVEL) < -30
    document = json.loads(flow.blobs.get_bytes(flow.ledger.outputs(job.id)[0].script))
    assert "separation" not in document["engines"]


def test_without_an_engine_the_original_is_heard_at_a_low_level(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    sound = dubbed(flow, dub(flow, film(flow.runs.folder)))
    music = decibels(levels(sound, MUSIC[0])[:-2, 0] / MUSIC_LEVEL)
    assert music.max() < -17
    assert decibels(levels(sound, VOICE).max() / VOICE_LEVEL) == pytest.approx(-18, abs=1)


def test_one_separation_serves_all_languages_and_later_ones(separating_flow: SteppedFlow) -> None:
    flow = separating_flow
    source = film(flow.runs.folder)
    first = dub(flow, source, "es", "ca")
    before = flow.runs.calls()
    assert sum(count for (capability, _), count in before.items() if capability == "separation") == 3
    later = dub(flow, source, "gl")
    assert not [name for capability, name in flow.runs.calls() - before if capability == "separation"]
    for job, language in ((first, "es"), (first, "ca"), (later, "gl")):
        music = levels(dubbed(flow, job, language), MUSIC[0])[:-2, 0]
        assert np.abs(decibels(music / MUSIC_LEVEL)).max() < 0.5


def test_rows_that_come_again_are_not_separated_again(separating_flow: SteppedFlow) -> None:
    flow = separating_flow
    job = flow.submit(film(flow.runs.folder), "es", options=KEEPING)

    def twice(stage: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return rows * 2 if stage == "Open" else rows

    calls = flow.run(twice)
    assert flow.ledger.job(job.id).status is JobStatus.COMPLETED
    assert len([name for capability, name in calls if capability == "separation"]) == 3


def test_a_film_in_which_nobody_speaks_keeps_its_sound(separating_flow: SteppedFlow) -> None:
    flow = separating_flow
    clock = np.arange(6 * RATE) / RATE
    music = (MUSIC_LEVEL * np.sin(2 * np.pi * MUSIC[0] * clock)).astype(np.float32)
    source = write(flow.runs.folder / "film.mka", None, [Track(music, rate=RATE, codec="flac")])
    job = dub(flow, source)
    assert np.abs(decibels(levels(dubbed(flow, job), MUSIC[0])[:-2] / MUSIC_LEVEL)).max() < 0.5
    (part,) = flow.ledger.parts(job.id, Stage.SEPARATION)
    assert part.status is StageStatus.COMPLETED
