"""Cloned voices through the whole flow: whose voice a line is spoken with, and what is said where there is none."""

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.ledger.records import JobStatus
from dataflow.records import JobOptions, to_plain
from tests.fixtures import tones
from tests.fixtures.flows import SteppedFlow

CLONING = to_plain(JobOptions(clone_voices=True))


def script_of(flow: SteppedFlow, job_id: str) -> dict[str, Any]:
    (output,) = flow.ledger.outputs(job_id)
    found: dict[str, Any] = json.loads(flow.blobs.get_bytes(output.script))
    return found


def film(flow: SteppedFlow, seconds: float = 24.0) -> Path:
    return tones.video(flow.runs.folder / "v.m4a", seconds, picture=False)


def spoken(calls: list[tuple[str, str]]) -> list[str]:
    return [name for capability, name in calls if capability == "speech"]


def test_lines_are_spoken_with_their_speakers_own_voices(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    job = flow.submit(film(flow), "es", options=CLONING)
    calls = flow.run()
    assert flow.ledger.job(job.id).status is JobStatus.COMPLETED
    assert spoken(calls)
    assert all(" like " in name for name in spoken(calls))
    voices = {speaker["voice"] for speaker in script_of(flow, job.id)["speakers"]}
    assert len(voices) == len(script_of(flow, job.id)["speakers"])
    assert all(voice.startswith("own-") for voice in voices)
    assert list(flow.blobs.keys("artefacts")) != []
    again = flow.submit(film(flow), "ca", options=CLONING)
    flow.run()
    assert {speaker["voice"] for speaker in script_of(flow, again.id)["speakers"]} == voices


def test_nobody_is_cloned_who_did_not_agree(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    job = flow.submit(film(flow), "es")
    calls = flow.run()
    assert not any(" like " in name for name in spoken(calls))
    assert not any(speaker["voice"].startswith("own-") for speaker in script_of(flow, job.id)["speakers"])


def test_who_is_heard_too_little_gets_another_voice_and_the_job_says_so(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    job = flow.submit(film(flow, 4.0), "es", options=CLONING)
    calls = flow.run()
    assert not any(" like " in name for name in spoken(calls))
    assert [code for code, _ in flow.ledger.job(job.id).warnings] == ["voice_not_cloned"]


def test_an_engine_that_cannot_clone_speaks_with_its_own_voices_and_the_job_says_so(
    stepped_flow: SteppedFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulated_engines.SimulatedSynthesizer.clones", False)
    flow = stepped_flow
    job = flow.submit(film(flow), "es", options=CLONING)
    flow.run()
    assert flow.ledger.job(job.id).status is JobStatus.COMPLETED
    ((code, message),) = flow.ledger.job(job.id).warnings
    assert code == "voice_not_cloned"
    assert "simulated cannot clone voices" in message
