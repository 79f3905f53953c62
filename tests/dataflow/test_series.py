"""Series through the whole flow: who is who in several sources, and whose voice they keep.

Everybody hums at a pitch of their own, by which the diarizer of these tests knows them in every recording.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from actors.contracts.audio import Clip
from actors.contracts.diarization import Diarization, DiarizationRequest, SceneSpeaker, Turn
from actors.contracts.engine import EngineOptions
from actors.contracts.voices import Gender, VoiceTraits
from actors.voice_analysis.pitch import PitchAnalyser
from cluster.consent import CONSENT
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.library_records import Impression
from cluster.ledger.records import Job, JobStatus
from cluster.removal import remove_job
from cluster.voices import forget_voice, sweep_voices
from dataflow.records import JobOptions, to_plain
from dataflow.series import MOST_SECONDS, _ByVoice
from tests.fixtures import tones
from tests.fixtures.flows import Row, SteppedFlow
from tests.fixtures.ledgers import let_pauses_end

ANN, BOB, CLEO = 150.0, 190.0, 230.0
SERIES = "Life on Mars"
YEAR = 365 * 24 * 3600.0


def hertz(clip: Clip) -> float:
    strength = np.abs(np.fft.rfft(clip.samples * np.hanning(len(clip.samples))))
    return float(np.fft.rfftfreq(len(clip.samples), 1 / clip.rate)[strength.argmax()])


def by_pitch(request: DiarizationRequest) -> Diarization:
    """Who hums alike is one speaker, numbered by their first appearance; a voiceprint is the pitch."""
    people: list[float] = []
    turns, seconds = [], [0.0] * len(request.speech)
    for span in request.speech:
        pitch = hertz(request.clip.cut(span))
        speaker = next((i for i, known in enumerate(people) if abs(known - pitch) < 15), len(people))
        people.extend([pitch] if speaker == len(people) else [])
        turns.append(Turn(span.start, span.end, speaker))
        seconds[speaker] += span.seconds
    return Diarization(
        tuple(turns), tuple(SceneSpeaker(i, seconds[i], (pitch / 30,)) for i, pitch in enumerate(people))
    )


@pytest.fixture
def flow(stepped_flow: SteppedFlow, monkeypatch: pytest.MonkeyPatch) -> SteppedFlow:
    monkeypatch.setattr("simulated_engines.SimulatedDiarizer._answer", staticmethod(by_pitch))
    return stepped_flow


def submitted(flow: SteppedFlow, name: str, *said: tuple[float, float], **options: Any) -> Job:
    """A film in which people hum, in the queue."""
    film = tones.talk(flow.runs.folder / f"{name}.m4a", *said)
    wanted = JobOptions(**({"series": SERIES} | options))
    return flow.submit(film, "es", options=to_plain(wanted))


def dubbed(flow: SteppedFlow, name: str, *said: tuple[float, float], **options: Any) -> Job:
    job = submitted(flow, name, *said, **options)
    flow.run()
    assert flow.ledger.job(job.id).status is JobStatus.COMPLETED
    return job


def document(flow: SteppedFlow, job: Job) -> dict[str, Any]:
    (output,) = flow.ledger.outputs(job.id)
    found: dict[str, Any] = json.loads(flow.blobs.get_bytes(output.script))
    return found


def cast(flow: SteppedFlow, job: Job, order: Sequence[float]) -> dict[float, dict[str, Any]]:
    """What the script says of each person; `order` is who hums when."""
    found = document(flow, job)
    speakers = {speaker["id"]: speaker for speaker in found["speakers"]}
    heard = dict.fromkeys(line["speaker"] for line in found["utterances"])
    return {person: speakers[speaker] for person, speaker in zip(dict.fromkeys(order), heard, strict=True)}


def warnings(flow: SteppedFlow, job: Job) -> list[str]:
    return [code for code, _ in flow.ledger.job(job.id).warnings]


def blobs(flow: SteppedFlow) -> list[str]:
    return list(flow.blobs.keys("voices"))


def test_in_all_sources_a_person_keeps_one_voice_whoever_speaks_first_or_most(flow: SteppedFlow) -> None:
    first = cast(flow, dubbed(flow, "one", (ANN, 8), (BOB, 6)), (ANN, BOB))
    second = cast(flow, dubbed(flow, "two", (BOB, 9), (ANN, 6), (BOB, 2)), (BOB, ANN, BOB))
    third = cast(flow, dubbed(flow, "three", (CLEO, 9), (BOB, 7), (ANN, 6)), (CLEO, BOB, ANN))
    assert (first[ANN]["id"], second[BOB]["id"]) == ("S1", "S1")
    for person, label in ((ANN, "V1"), (BOB, "V2")):
        known = [found[person] for found in (first, second, third)]
        assert {one["library"] for one in known} == {label}
        assert len({one["voice"] for one in known}) == 1
    assert third[CLEO]["library"] == "V3"
    assert len({one["voice"] for one in third.values()}) == 3


def test_a_source_that_stands_alone_leaves_no_trace_in_any_library(flow: SteppedFlow) -> None:
    job = dubbed(flow, "one", (ANN, 8), (BOB, 6), series="")
    assert all("library" not in speaker for speaker in document(flow, job)["speakers"])
    assert flow.ledger.voices().voices == ()
    dubbed(flow, "two", (ANN, 8))
    dubbed(flow, "three", (ANN, 8), series="Another")
    assert [(one.series, one.label) for one in flow.ledger.voices().voices] == [("Another", "V1"), (SERIES, "V1")]


def test_a_job_that_is_dubbed_again_stays_as_it_was_though_the_series_went_on(flow: SteppedFlow) -> None:
    job = dubbed(flow, "one", (ANN, 8), (BOB, 6))
    before = document(flow, job)
    dubbed(flow, "two", (ANN + 8, 8), (CLEO, 6))
    line = before["utterances"][0]["id"]
    flow.ledger.edit(job.id, "es", 0, {line: "otra cosa"})
    flow.ledger.redub(job.id)
    calls = flow.run()
    assert {name.split("@")[0] for capability, name in calls if capability == "speech"} == {"otra cosa"}
    assert document(flow, job)["speakers"] == before["speakers"]
    assert len(flow.ledger.voices().voices) == 3


def test_rows_that_are_delivered_twice_and_attempts_that_begin_anew_meet_nobody_twice(flow: SteppedFlow) -> None:
    def twice(_stage: str, rows: list[Row]) -> list[Row]:
        return rows * 2

    job = submitted(flow, "one", (ANN, 8), (BOB, 6))
    flow.run(twice)
    voices = document(flow, job)["speakers"]
    flow.ledger.requeue(job.id)
    flow.run()
    assert document(flow, job)["speakers"] == voices
    assert [one.label for one in flow.ledger.voices().voices] == ["V2", "V1"]
    assert sorted(one.impression.seconds for one in flow.ledger.voices().voices) == pytest.approx([6, 8], abs=0.3)


def test_a_cloned_voice_is_made_of_the_first_sound_and_each_statement_is_kept(flow: SteppedFlow) -> None:
    one = dubbed(flow, "one", (ANN, 8), (BOB, 6), clone_voices=True)
    first = cast(flow, one, (ANN, BOB))
    kept = blobs(flow)
    two = submitted(flow, "two", (BOB, 2), (ANN, 9), clone_voices=True)
    calls = [name for capability, name in flow.run() if capability == "speech"]
    second = cast(flow, two, (BOB, ANN))
    for person in (ANN, BOB):
        assert second[person]["voice"] == first[person]["voice"]
        assert second[person]["voice"].startswith("own-")
    assert blobs(flow) == kept
    assert len(kept) == 2
    # Bob, who is heard for two seconds here, speaks like the six of the first source.
    lengths = [float(name.partition(" like ")[2].removesuffix(" s")) for name in calls]
    assert sorted(set(lengths)) == pytest.approx([6, 8], abs=0.3)
    for person in flow.ledger.voices().voices:
        assert [(stated.job_id, stated.wording) for stated in person.consents] == [(one.id, CONSENT), (two.id, CONSENT)]
    assert warnings(flow, two) == []


def test_without_consent_nobody_is_cloned_again_and_what_is_cast_then_is_kept_too(flow: SteppedFlow) -> None:
    dubbed(flow, "one", (ANN, 8), (BOB, 6), clone_voices=True)
    two = submitted(flow, "two", (ANN, 8), (BOB, 6))
    assert not any(" like " in name for _, name in flow.run())
    second = cast(flow, two, (ANN, BOB))
    third = cast(flow, dubbed(flow, "three", (BOB, 8), (ANN, 6)), (BOB, ANN))
    assert {person: one["voice"] for person, one in second.items()} == {
        person: one["voice"] for person, one in third.items()
    }
    assert all(len(person.consents) == 1 for person in flow.ledger.voices().voices)


def test_who_is_forgotten_is_not_cloned_again_where_they_were_known_and_starts_anew_elsewhere(
    flow: SteppedFlow,
) -> None:
    job = dubbed(flow, "one", (ANN, 8), (BOB, 6), clone_voices=True)
    ann = next(one for one in flow.ledger.voices().voices if one.label == "V1")
    kept = len(blobs(flow))
    forget_voice(flow.ledger, flow.blobs, ann.id)
    assert len(blobs(flow)) == kept - 1
    assert not any(ann.id in key for key in blobs(flow))
    flow.ledger.requeue(job.id)
    flow.run()
    again = cast(flow, job, (ANN, BOB))
    assert "library" not in again[ANN]
    assert not again[ANN]["voice"].startswith("own-")
    assert again[BOB]["voice"].startswith("own-")
    assert warnings(flow, job) == ["voice_not_cloned"]
    assert cast(flow, dubbed(flow, "two", (ANN, 8)), (ANN,))[ANN]["library"] == "V3"


def test_a_person_who_is_forgotten_while_a_job_runs_is_not_spoken_with_their_voice(flow: SteppedFlow) -> None:
    job = submitted(flow, "one", (ANN, 8), clone_voices=True)

    def forget(stage: str, rows: list[Row]) -> list[Row]:
        if stage == "JoinScript":
            for person in flow.ledger.voices().voices:
                forget_voice(flow.ledger, flow.blobs, person.id)
        return rows

    assert not any(capability == "speech" for capability, _ in flow.run(forget))
    assert blobs(flow) == []
    let_pauses_end(flow.ledger)
    assert not any(" like " in name for _, name in flow.run())
    assert flow.ledger.job(job.id).status is JobStatus.COMPLETED
    assert warnings(flow, job) == ["voice_not_cloned"]
    assert blobs(flow) == []


def test_files_that_could_not_be_removed_go_with_the_next_call_or_sweep(
    flow: SteppedFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    dubbed(flow, "one", (ANN, 8), (BOB, 6), clone_voices=True)
    bob, ann = flow.ledger.voices().voices

    def broken(_prefix: str) -> None:
        raise DubflowError(ErrorCode.STORAGE_FAILED, "the disk is away")

    with monkeypatch.context() as away:
        away.setattr(flow.blobs, "delete_prefix", broken)
        for person in (ann, bob):
            with pytest.raises(DubflowError, match="away"):
                forget_voice(flow.ledger, flow.blobs, person.id)
        assert len(sweep_voices(flow.ledger, flow.blobs, YEAR)) == 2
    assert len(blobs(flow)) == 2
    forget_voice(flow.ledger, flow.blobs, ann.id)
    assert len(blobs(flow)) == 1
    assert sweep_voices(flow.ledger, flow.blobs, YEAR) == ()
    assert blobs(flow) == []
    with pytest.raises(DubflowError, match="no voice"):
        forget_voice(flow.ledger, flow.blobs, ann.id)


def test_the_library_outlives_its_jobs(flow: SteppedFlow) -> None:
    job = dubbed(flow, "one", (ANN, 8), clone_voices=True)
    voice = cast(flow, job, (ANN,))[ANN]["voice"]
    remove_job(flow.ledger, flow.blobs, job)
    assert list(flow.blobs.keys("artefacts")) == []
    again = cast(flow, dubbed(flow, "two", (ANN, 9), clone_voices=True), (ANN,))
    assert (again[ANN]["library"], again[ANN]["voice"]) == ("V1", voice)


def test_what_people_say_of_a_person_goes_first(flow: SteppedFlow) -> None:
    dubbed(flow, "one", (ANN, 8), (BOB, 6), clone_voices=True)
    ann = next(one for one in flow.ledger.voices().voices if one.label == "V1")
    flow.ledger.change_voice(ann.id, name="Ann", gender="female", by_language={"es": "female2"})
    second = cast(flow, dubbed(flow, "two", (ANN, 8), (BOB, 6), clone_voices=True), (ANN, BOB))
    assert {name: second[ANN][name] for name in ("library", "name", "gender", "voice")} == {
        "library": "V1",
        "name": "Ann",
        "gender": "female",
        "voice": "female2",
    }
    assert second[BOB]["voice"].startswith("own-")


def test_a_chosen_voice_that_the_engine_has_not_is_told_and_another_one_taken(flow: SteppedFlow) -> None:
    before = cast(flow, dubbed(flow, "one", (ANN, 8)), (ANN,))
    (ann,) = flow.ledger.voices().voices
    flow.ledger.change_voice(ann.id, by_language={"es": "nobody"})
    job = dubbed(flow, "two", (ANN, 8))
    assert cast(flow, job, (ANN,))[ANN]["voice"] == before[ANN]["voice"]
    assert warnings(flow, job) == ["voice_not_offered"]


def test_where_voices_cannot_be_recognised_each_source_is_cast_by_itself_and_the_job_says_so_once(
    flow: SteppedFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulated_engines.Apart.across_recordings", False)
    job = dubbed(flow, "one", (ANN, 8), (BOB, 6))
    assert warnings(flow, job) == ["voices_not_recognised"]
    assert len({speaker["voice"] for speaker in document(flow, job)["speakers"]}) == 2
    assert all("library" not in speaker for speaker in document(flow, job)["speakers"])
    assert flow.ledger.voices().voices == ()


def test_what_is_known_of_a_voice_grows_with_its_sources_up_to_a_limit() -> None:
    analyser = PitchAnalyser(EngineOptions())
    recogniser = _ByVoice(None, analyser)  # type: ignore[arg-type] # distances play no part in it

    def heard(place: float, seconds: float, evidence: float) -> Impression:
        traits = VoiceTraits(Gender.UNKNOWN, 0.1, 165.0, evidence, seconds)
        return Impression((place, 1.0), seconds, to_plain(traits))

    unsure = heard(0.0, 10.0, 0.4)
    surer = recogniser.blend(unsure, heard(4.0, 30.0, 4.0))
    assert surer.voiceprint == pytest.approx((3.0, 1.0))
    assert surer.seconds == 40.0
    assert (surer.traits["gender"], surer.traits["evidence"]) == ("male", pytest.approx(3.1))
    old = recogniser.blend(heard(0.0, 1e5, 4.0), heard(4.0, 1e5, 4.0))
    assert old.voiceprint == pytest.approx((2.0, 1.0))
    assert old.seconds == MOST_SECONDS
