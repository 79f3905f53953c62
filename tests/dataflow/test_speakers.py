"""Who speaks which language, where a plan names several engines of speech."""

import json
from dataclasses import replace
from typing import Any

import pytest

from actors.contracts.engine import EngineOptions
from actors.speech.espeak import Espeak
from actors.speech.kokoro import Kokoro
from actors.speech.pocket import Pocket
from cluster.ledger.records import JobStatus
from dataflow.context import FlowContext
from dataflow.languages import offers
from dataflow.records import JobOptions, to_plain
from dataflow.speakers import Speakers
from tests.fixtures import tones
from tests.fixtures.flows import SteppedFlow

OPTIONS = EngineOptions()


def speaker(speakers: Speakers, language: str, *, cloned: bool = False) -> str:
    return speakers.of(language, cloned=cloned).info.name


def test_the_first_that_has_a_voice_for_a_language_speaks_it() -> None:
    speakers = Speakers([Kokoro(OPTIONS), Espeak(OPTIONS)])
    assert {language: speaker(speakers, language) for language in ("es", "pt-BR", "en-GB", "de", "ca", "ru")} == {
        "es": "kokoro",
        "pt-BR": "kokoro",
        "en-GB": "kokoro",
        "de": "espeak",
        "ca": "espeak",
        "ru": "espeak",
    }
    assert speakers.speak("ca")
    assert not speakers.speak("ja")
    assert not speakers.clones


def test_cloned_voices_are_spoken_by_who_can_clone_where_anybody_can() -> None:
    speakers = Speakers([Kokoro(OPTIONS), Pocket(OPTIONS), Espeak(OPTIONS)])
    assert speaker(speakers, "es") == "kokoro"
    assert speaker(speakers, "es", cloned=True) == "pocket"
    assert speaker(speakers, "de") == "pocket"
    assert speaker(speakers, "hi", cloned=True) == "kokoro"
    assert speaker(speakers, "ca", cloned=True) == "espeak"
    assert speakers.clones


@pytest.fixture
def mixed(stepped_flow: SteppedFlow, monkeypatch: pytest.MonkeyPatch) -> SteppedFlow:
    """A flow whose first engine of speech speaks Spanish only, and leaves the rest to eSpeak."""
    monkeypatch.setattr("simulated_engines.SimulatedSynthesizer.languages", lambda self: frozenset({"es"}))
    context = stepped_flow.context
    plan = replace(context.plan, engines={**context.plan.engines, "speech": "simulated,espeak"})
    stepped_flow.context = FlowContext(context.settings, plan, owner=context.owner)
    return stepped_flow


def scripts(flow: SteppedFlow, job_id: str) -> dict[str, dict[str, Any]]:
    return {output.language: json.loads(flow.blobs.get_bytes(output.script)) for output in flow.ledger.outputs(job_id)}


def test_each_language_names_who_spoke_it_and_is_cast_with_their_voices(mixed: SteppedFlow) -> None:
    job = mixed.submit(tones.video(mixed.runs.folder / "v.m4a", 12, picture=False), "es", "ca")
    calls = mixed.run()
    assert mixed.ledger.job(job.id).status is JobStatus.COMPLETED
    assert not [name for capability, name in calls if capability == "speech" and name.startswith("ca ")]
    found = scripts(mixed, job.id)
    assert found["es"]["engines"]["speech"].startswith("simulated/")
    assert found["ca"]["engines"]["speech"] == Espeak(OPTIONS).info.identity
    voices = {offer.id for offer in Espeak(OPTIONS).voices("ca")}
    assert {speaker["voice"] for speaker in found["ca"]["speakers"]} <= voices
    assert not {speaker["voice"] for speaker in found["es"]["speakers"]} & voices
    told = {offer.code: (offer.speech, offer.voice_cloning) for offer in offers(mixed.context.plan)}
    assert told == {"es": ("simulated", True), "ca": ("espeak", False), "gl": ("espeak", False)}


def test_what_an_engine_spoke_stays_when_another_one_is_named_beside_it(mixed: SteppedFlow) -> None:
    film = tones.video(mixed.runs.folder / "v.m4a", 12, picture=False)
    mixed.submit(film, "es")
    assert [name for capability, name in mixed.run() if capability == "speech"]
    alone = replace(mixed.context.plan, engines={**mixed.context.plan.engines, "speech": "simulated"})
    mixed.context = FlowContext(mixed.context.settings, alone, owner=mixed.context.owner)
    mixed.submit(film, "es", stem="again")
    assert not [name for capability, name in mixed.run() if capability == "speech"]


def test_where_only_some_languages_can_be_cloned_the_job_says_which_were_not(mixed: SteppedFlow) -> None:
    film = tones.video(mixed.runs.folder / "v.m4a", 24, picture=False)
    job = mixed.submit(film, "es", "ca", options=to_plain(JobOptions(clone_voices=True)))
    mixed.run()
    found = scripts(mixed, job.id)
    assert all(speaker["voice"].startswith("own-") for speaker in found["es"]["speakers"])
    assert not any(speaker["voice"].startswith("own-") for speaker in found["ca"]["speakers"])
    assert mixed.ledger.job(job.id).warnings == (
        ("voice_not_cloned", "espeak cannot clone voices; others were chosen for ca"),
    )
