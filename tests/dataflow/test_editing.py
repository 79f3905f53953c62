"""Edits, reviews and added languages, through the whole flow: what is made again, and what is not."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cluster.errors import DubflowError
from cluster.ledger.records import Job, JobStatus, Output, Priority, Stage
from cluster.sources import local_path
from dataflow.capacity import SPEECH, bulk_rows
from tests.fixtures import tones
from tests.fixtures.flows import Row, SteppedFlow
from tests.fixtures.ledgers import let_leases_run_out

ANALYSIS = {"diarization", "transcription", "translation"}


def output(flow: SteppedFlow, job: Job, language: str = "es") -> Output:
    return next(one for one in flow.ledger.outputs(job.id) if one.language == language)


def document(flow: SteppedFlow, job: Job, language: str = "es") -> dict[str, Any]:
    """The script as doors see it."""
    found: dict[str, Any] = json.loads(flow.blobs.get_bytes(output(flow, job, language).script))
    return found


def lines(flow: SteppedFlow, job: Job, language: str = "es") -> dict[str, dict[str, Any]]:
    return {line["id"]: line for line in document(flow, job, language)["utterances"]}


def results(flow: SteppedFlow) -> list[str]:
    return sorted(flow.blobs.keys("results"))


def sound(flow: SteppedFlow, seconds: float, lead: float = 0.5) -> Path:
    return tones.video(flow.runs.folder / "v.m4a", seconds, lead=lead, picture=False)


def published(flow: SteppedFlow, *languages: str, seconds: float = 12, **changes: Any) -> Job:
    """A finished job, and no calls of engines before those of the test."""
    job = flow.submit(sound(flow, seconds), *languages, **changes)
    flow.run()
    assert flow.ledger.job(job.id).status is JobStatus.COMPLETED
    return job


def test_only_an_edited_line_is_spoken_again_and_the_result_says_so(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    job = published(flow, "es", "ca")
    before, catalan = lines(flow, job), output(flow, job, "ca")
    edited = list(before)[1]
    former = output(flow, job).files

    flow.ledger.edit(job.id, "es", 0, {edited: "otra cosa"})
    flow.ledger.redub(job.id)
    assert local_path(output(flow, job).files["audio"]).exists()
    calls = flow.run()

    assert {capability for capability, _ in calls} == {"speech"}
    assert {name.split("@")[0] for _, name in calls} == {"otra cosa"}
    after = lines(flow, job)
    assert (after[edited]["target_text"], after[edited]["machine_text"]) == ("otra cosa", before[edited]["target_text"])
    assert "edited" in after[edited]["flags"]
    unchanged = {name: line["target_text"] for name, line in before.items() if name != edited}
    assert {name: line["target_text"] for name, line in after.items() if name != edited} == unchanged
    assert (document(flow, job)["revision"], output(flow, job).revision) == (1, 1)
    assert output(flow, job, "ca") == catalan
    now = output(flow, job).files
    assert "otra cosa" in local_path(now["srt"]).read_text(encoding="utf-8")
    assert json.loads(local_path(now["script"]).read_text(encoding="utf-8")) == document(flow, job)
    assert not set(now.values()) & set(former.values())
    assert results(flow) == sorted(
        [f"results/default/v/dub.ca.{end}" for end in ("json", "m4a", "srt", "vtt")]
        + [f"results/default/v/r1/dub.es.{end}" for end in ("json", "m4a", "srt", "vtt")]
    )


def test_a_line_set_back_to_the_machines_text_costs_nothing(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    job = published(flow, "es")
    before = lines(flow, job)
    first = next(iter(before))
    flow.ledger.edit(job.id, "es", 0, {first: "otra cosa"})
    flow.ledger.redub(job.id)
    flow.run()

    flow.ledger.edit(job.id, "es", 1, {first: None})
    flow.ledger.redub(job.id)

    assert flow.run() == []
    assert lines(flow, job) == before
    assert document(flow, job)["revision"] == 2


def test_an_empty_text_keeps_the_lines_original_sound(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    job = published(flow, "es")
    silenced, *others = lines(flow, job)
    flow.ledger.edit(job.id, "es", 0, {silenced: "  "})
    flow.ledger.redub(job.id)

    assert flow.run() == []
    after = lines(flow, job)
    assert after[silenced]["flags"][:2] == ["kept_original", "edited"]
    assert after[silenced]["target_text"] == after[silenced]["source_text"]
    assert not any("kept_original" in after[other]["flags"] for other in others)


def test_what_no_machine_could_translate_is_spoken_once_a_person_has(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    flow.runs.fault("translation", "fail")
    job = published(flow, "es")
    first, *others = lines(flow, job)
    assert lines(flow, job)[first]["machine_text"] is None

    flow.ledger.edit(job.id, "es", 0, {first: "a mano"})
    flow.ledger.redub(job.id)
    calls = flow.run()

    assert {name.split("@")[0] for capability, name in calls if capability == "speech"} == {"a mano"}
    after = lines(flow, job)
    assert (after[first]["target_text"], after[first]["flags"][0]) == ("a mano", "edited")
    assert all("kept_original" in after[other]["flags"] for other in others)


def test_a_redub_that_fails_leaves_the_former_result(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    job = published(flow, "es")
    former, first = output(flow, job), next(iter(lines(flow, job)))
    flow.ledger.edit(job.id, "es", 0, dict.fromkeys(lines(flow, job), "imposible"))
    flow.runs.fault("speech", "fail", "imposible")
    flow.ledger.redub(job.id)
    flow.run()

    assert flow.ledger.job(job.id).status is JobStatus.FAILED
    failed = output(flow, job)
    assert (failed.files, failed.script) == (former.files, former.script)
    assert all(local_path(uri).exists() for uri in former.files.values())

    flow.ledger.edit(job.id, "es", 1, dict.fromkeys(lines(flow, job), "posible"))
    flow.ledger.redub(job.id)
    flow.run()
    assert flow.ledger.job(job.id).status is JobStatus.COMPLETED
    assert lines(flow, job)[first]["target_text"] == "posible"
    assert not any(local_path(uri).exists() for uri in former.files.values())


def test_edits_during_a_run_wait_for_the_next(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    job = published(flow, "es")
    first, second, *_ = lines(flow, job)
    flow.ledger.edit(job.id, "es", 0, {first: "uno"})
    flow.ledger.redub(job.id)

    def edit_meanwhile(stage: str, rows: list[Row]) -> list[Row]:
        if stage == "Translate":
            flow.ledger.edit(job.id, "es", 1, {first: "dos", second: "tres"})
        return rows

    flow.run(edit_meanwhile)
    assert (document(flow, job)["revision"], lines(flow, job)[first]["target_text"]) == (1, "uno")
    flow.ledger.redub(job.id)
    flow.run()
    assert [lines(flow, job)[name]["target_text"] for name in (first, second)] == ["dos", "tres"]


def test_an_attempt_that_is_lost_is_repeated_with_the_same_words(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    job = published(flow, "es", seconds=120)
    first, *_, last = lines(flow, job)
    flow.ledger.edit(job.id, "es", 0, {first: "uno"})
    flow.ledger.redub(job.id)
    assembled: list[int] = []

    def lose_the_first_attempt(stage: str, rows: list[Row]) -> list[Row]:
        if stage == "Assemble" and not assembled:
            assembled.append(len(rows))
            flow.ledger.edit(job.id, "es", 1, {last: "dos"})
            let_leases_run_out(flow.ledger)
            return []
        return rows

    flow.run(lose_the_first_attempt)
    assert assembled == [1]
    assert (document(flow, job)["revision"], lines(flow, job)[first]["target_text"]) == (1, "uno")
    assert lines(flow, job)[last]["flags"] == []
    flow.ledger.redub(job.id)
    flow.run()
    assert (document(flow, job)["revision"], lines(flow, job)[last]["target_text"]) == (2, "dos")


def test_a_result_in_a_folder_of_the_users_own_is_replaced_under_its_name(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    job = published(flow, "es", destination=(flow.runs.folder / "out").as_uri(), stem="v")
    former, first = output(flow, job).files, next(iter(lines(flow, job)))
    flow.ledger.edit(job.id, "es", 0, {first: "otra cosa"})
    flow.ledger.redub(job.id)
    flow.run()
    assert output(flow, job).files == former
    assert "otra cosa" in (flow.runs.folder / "out" / "v.es.srt").read_text(encoding="utf-8")


def test_a_review_stops_before_speech_and_goes_on_without_repeating_anything(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    source = sound(flow, 150)
    job = flow.submit(source, "es", "ca", review=True)

    calls = flow.run()
    assert {capability for capability, _ in calls} == ANALYSIS
    assert flow.ledger.job(job.id).status is JobStatus.AWAITING_REVIEW
    assert flow.ledger.leases_of("worker") == ()
    assert results(flow) == []
    drafts = {language: document(flow, job, language) for language in ("es", "ca")}
    for language, draft in drafts.items():
        assert (draft["format"], draft["target_language"], draft["revision"]) == ("dubflow.script/1", language, 0)
        assert draft["report"]["utterances"] == len(draft["utterances"]) > 24
        for line in draft["utterances"]:
            assert line["target_text"] == line["machine_text"] == f"{language} {line['source_text']}"
            assert (line["placed_start"], line["placed_end"], line["rate"]) == (line["start"], line["end"], 1.0)
            assert line["budget_characters"] > 0

    edited = drafts["es"]["utterances"][0]["id"]
    flow.ledger.edit(job.id, "es", 0, {edited: "revisado"})
    flow.ledger.redub(job.id)
    calls = flow.run()
    assert {capability for capability, _ in calls} == {"speech"}
    assert flow.ledger.job(job.id).status is JobStatus.COMPLETED
    assert lines(flow, job)[edited]["target_text"] == "revisado"
    assert lines(flow, job, "ca")[edited]["target_text"] == drafts["ca"]["utterances"][0]["target_text"]
    documents = list(flow.blobs.keys("documents"))
    assert sorted(documents) == sorted(output(flow, job, language).script for language in ("es", "ca"))


def test_rows_that_are_delivered_again_change_nothing_of_a_review(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    job = flow.submit(sound(flow, 150), "es", "ca", review=True)

    def twice(stage: str, rows: list[Row]) -> list[Row]:
        # Ray delivers a row again whenever it has lost an answer: the passages come twice, closers and others.
        return [*rows, *reversed(rows)] if stage in {"Transcribe", "JoinScript"} else rows

    calls = flow.run(twice)
    assert set(Counter(calls).values()) == {1, 2}  # the two languages are asked for in the same words
    assert all(capability == "translation" for capability, name in calls if calls.count((capability, name)) > 1)
    assert flow.ledger.job(job.id).status is JobStatus.AWAITING_REVIEW
    drafts = {language: document(flow, job, language) for language in ("es", "ca")}
    assert flow.ledger.events(job.id)[-1].data["status"] == "awaiting_review"
    flow.ledger.redub(job.id)
    flow.run(twice)
    assert flow.ledger.job(job.id).status is JobStatus.COMPLETED
    for language, draft in drafts.items():
        texts = [line["target_text"] for line in draft["utterances"]]
        assert [line["target_text"] for line in lines(flow, job, language).values()] == texts


def test_the_passages_of_a_review_do_not_wait_for_speech_that_does_not_come(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    job = flow.submit(sound(flow, 240), "es", "ca", "gl", review=True, priority=Priority.BULK)
    passages: list[int] = []

    def count(stage: str, rows: list[Row]) -> list[Row]:
        passages.extend([len(rows)] if stage == "JoinScript" else [])
        return rows

    flow.run(count)
    assert sum(passages) > bulk_rows(flow.context.plan, SPEECH)
    assert flow.ledger.job(job.id).status is JobStatus.AWAITING_REVIEW


def test_a_review_waits_for_the_languages_that_can_be_made(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    job = flow.submit(sound(flow, 12), "de", "es", review=True)
    flow.run()
    assert flow.ledger.job(job.id).status is JobStatus.AWAITING_REVIEW
    assert output(flow, job, "de").failure is not None
    flow.ledger.redub(job.id)
    flow.run()
    assert flow.ledger.job(job.id).status is JobStatus.COMPLETED


def test_where_nobody_speaks_there_is_nothing_to_review(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    job = flow.submit(sound(flow, 5, lead=9), "es", review=True)
    flow.run()
    assert flow.ledger.job(job.id).status is JobStatus.COMPLETED


def test_a_review_that_was_cancelled_and_tried_again_is_asked_for_again_with_its_edits(
    stepped_flow: SteppedFlow,
) -> None:
    flow = stepped_flow
    job = flow.submit(sound(flow, 12), "es", review=True)
    flow.run()
    first = next(iter(lines(flow, job)))
    flow.ledger.edit(job.id, "es", 0, {first: "revisado"})
    flow.ledger.cancel(job.id)
    flow.ledger.requeue(job.id)
    assert flow.run() == []
    assert flow.ledger.job(job.id).status is JobStatus.AWAITING_REVIEW
    assert lines(flow, job)[first]["target_text"] == "revisado"
    with pytest.raises(DubflowError):
        flow.ledger.requeue(job.id)


def test_an_added_language_is_made_without_new_analysis(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    job = published(flow, "es")
    spanish = output(flow, job)
    flow.ledger.add_languages(job.id, ["ca"])
    calls = flow.run()
    assert {capability for capability, _ in calls} == {"translation", "speech"}
    assert all(name.startswith("ca ") for capability, name in calls if capability == "speech")
    assert output(flow, job) == spanish
    assert flow.ledger.job(job.id).status is JobStatus.COMPLETED
    assert flow.ledger.parts(job.id, Stage.TRANSLATION, "ca") != ()
