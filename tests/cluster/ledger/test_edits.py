import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cluster.errors import DubflowError, ErrorCode, LeaseLostError
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Failure, JobStatus, Lease, ScriptEdits, Stage, StageStatus
from tests.fixtures.ledgers import claimed, let_leases_run_out, request, scene

BROKEN = Failure(ErrorCode.ENGINE_FAILED, "it went wrong", Stage.SYNTHESIS)


def published(ledger: Ledger, *languages: str) -> str:
    """The id of a completed job."""
    lease = claimed(ledger, target_languages=languages)
    for language in languages:
        ledger.publish(lease, language, {"video": f"old.{language}"}, {}, script=f"script.{language}")
    return lease.job_id


def claim(ledger: Ledger) -> Lease:
    taken = ledger.claim("worker")
    assert taken is not None
    return taken.lease


def code_of(refused: pytest.ExceptionInfo[DubflowError]) -> ErrorCode:
    return refused.value.code


def statuses(ledger: Ledger, job_id: str) -> list[StageStatus]:
    return [output.status for output in ledger.outputs(job_id)]


def test_each_edit_is_a_revision_and_earlier_ones_can_still_be_read(ledger: Ledger) -> None:
    job_id = published(ledger, "es", "fr")
    assert ledger.edits(job_id, "es") == ScriptEdits(0, {})

    assert ledger.edit(job_id, "es", 0, {"u0001": "hola", "u0002": ""}) == 1
    assert ledger.edit(job_id, "es", 1, {"u0001": None, "u0003": "adiós"}) == 2

    assert ledger.edits(job_id, "es") == ScriptEdits(2, {"u0002": "", "u0003": "adiós"})
    assert ledger.edits(job_id, "es", 1) == ScriptEdits(1, {"u0001": "hola", "u0002": ""})
    assert ledger.edits(job_id, "es", 0) == ScriptEdits(0, {})
    assert ledger.edits(job_id, "fr") == ScriptEdits(0, {})


@pytest.mark.parametrize("base", [0, 2, -1])
def test_only_the_newest_revision_can_be_edited(ledger: Ledger, base: int) -> None:
    job_id = published(ledger, "es")
    ledger.edit(job_id, "es", 0, {"u0001": "hola"})

    with pytest.raises(DubflowError) as stale:
        ledger.edit(job_id, "es", base, {"u0001": "buenas"})

    assert code_of(stale) is ErrorCode.CONFLICT
    assert ledger.edits(job_id, "es") == ScriptEdits(1, {"u0001": "hola"})


def test_the_same_edit_sent_twice_counts_once(ledger: Ledger) -> None:
    job_id = published(ledger, "es")
    assert ledger.edit(job_id, "es", 0, {"u0001": "hola"}) == 1
    assert ledger.edit(job_id, "es", 0, {"u0001": "hola"}) == 1
    with pytest.raises(DubflowError):
        ledger.edit(job_id, "es", 0, {"u0001": "hola", "u0002": "más"})


def test_of_editors_at_the_same_time_one_wins(ledger: Ledger) -> None:
    job_id = published(ledger, "es")
    start = threading.Barrier(5)

    def edit(number: int) -> int | ErrorCode:
        start.wait()
        try:
            return ledger.edit(job_id, "es", 0, {"u0001": f"editor {number}", "u0002": f"{number}"})
        except DubflowError as error:
            return error.code

    with ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(edit, range(5)))

    assert sorted(map(str, answers)) == ["1", *["conflict"] * 4]
    winner = answers.index(1)
    assert ledger.edits(job_id, "es").texts == {"u0001": f"editor {winner}", "u0002": str(winner)}


def test_an_edit_that_cannot_be_is_refused(ledger: Ledger) -> None:
    job_id = published(ledger, "es")
    refusals = []
    for job, language, texts in (
        ("unknown", "es", {"u0001": "a"}),
        (job_id, "fr", {"u0001": "a"}),
        (job_id, "es", {}),
        (job_id, "es", {"u0001": "nul \0"}),
    ):
        with pytest.raises(DubflowError) as refused:
            ledger.edit(job, language, 0, texts)
        refusals.append(code_of(refused))
    assert refusals == [ErrorCode.NOT_FOUND] * 2 + [ErrorCode.INVALID_REQUEST] * 2
    assert ledger.edits(job_id, "es").revision == 0


def test_dubbing_again_makes_what_was_edited_by_then_however_often_it_is_tried(ledger: Ledger) -> None:
    job_id = published(ledger, "es", "fr")
    ledger.edit(job_id, "es", 0, {"u0001": "hola"})
    ledger.edit(job_id, "es", 1, {"u0001": "hola otra vez"})

    assert ledger.redub(job_id).status is JobStatus.UPLOADED
    assert statuses(ledger, job_id) == [StageStatus.PENDING, StageStatus.COMPLETED]
    ledger.edit(job_id, "es", 2, {"u0001": "demasiado tarde"})
    claim(ledger)
    let_leases_run_out(ledger)
    lease = claim(ledger)

    spanish, french = ledger.outputs(job_id)
    assert (spanish.revision, spanish.files, spanish.script) == (2, {"video": "old.es"}, "script.es")
    assert (french.revision, french.files) == (0, {"video": "old.fr"})
    ledger.publish(lease, "es", {"video": "new.es"}, {}, script="script.es.2")
    spanish, _ = ledger.outputs(job_id)
    assert (spanish.revision, spanish.files, spanish.script) == (2, {"video": "new.es"}, "script.es.2")
    assert ledger.redub(job_id).status is JobStatus.UPLOADED  # the third edit is still to be spoken


def test_a_dub_that_fails_again_leaves_the_former_and_can_be_tried_again(ledger: Ledger) -> None:
    job_id = published(ledger, "es")
    ledger.edit(job_id, "es", 0, {"u0001": "hola"})
    ledger.redub(job_id)
    ledger.fail_output(claim(ledger), "es", BROKEN)

    (output,) = ledger.outputs(job_id)
    assert (ledger.job(job_id).status, output.status) == (JobStatus.FAILED, StageStatus.FAILED)
    assert output.files == {"video": "old.es"}
    assert ledger.redub(job_id).status is JobStatus.UPLOADED


def test_nothing_is_dubbed_again_that_says_what_its_script_says(ledger: Ledger) -> None:
    job_id = published(ledger, "es", "fr")
    ledger.edit(job_id, "es", 0, {"u0001": "hola"})
    ledger.edit(job_id, "es", 1, {"u0001": None})
    ledger.edit(job_id, "fr", 0, {"u0001": "salut"})

    for nothing in (lambda: ledger.redub(published(ledger, "de")), lambda: ledger.redub(job_id, "es")):
        with pytest.raises(DubflowError) as refused:
            nothing()
        assert code_of(refused) is ErrorCode.CONFLICT
    with pytest.raises(DubflowError) as unknown:
        ledger.redub(job_id, "xx")
    assert code_of(unknown) is ErrorCode.NOT_FOUND
    assert ledger.job(job_id).status is JobStatus.COMPLETED
    ledger.redub(job_id)
    assert statuses(ledger, job_id) == [StageStatus.COMPLETED, StageStatus.PENDING]


def test_a_job_at_work_is_not_dubbed_again(ledger: Ledger) -> None:
    job_id = published(ledger, "es")
    ledger.edit(job_id, "es", 0, {"u0001": "hola"})
    ledger.redub(job_id)
    for _ in ("waiting", "processing"):
        with pytest.raises(DubflowError) as refused:
            ledger.redub(job_id)
        assert code_of(refused) is ErrorCode.CONFLICT
        ledger.claim("worker")


def test_edits_outlive_a_retry(ledger: Ledger) -> None:
    job_id = published(ledger, "es")
    ledger.edit(job_id, "es", 0, {"u0001": "hola"})
    ledger.requeue(job_id)
    claim(ledger)
    assert ledger.edits(job_id, "es") == ScriptEdits(1, {"u0001": "hola"})
    assert ledger.outputs(job_id)[0].revision == 1


def test_deleting_a_job_deletes_its_edits(ledger: Ledger) -> None:
    job_id = published(ledger, "es")
    ledger.edit(job_id, "es", 0, {"u0001": "hola"})
    ledger.delete(job_id)
    assert ledger.edits(job_id, "es") == ScriptEdits(0, {})


def test_a_job_waits_for_its_review_once_all_its_languages_can_be_reviewed(ledger: Ledger) -> None:
    lease = claimed(ledger, target_languages=("es", "fr", "de"), review=True)
    ledger.begin(lease, scene(0), "key")
    ledger.finish(lease, scene(0), "key", seconds=1.0)
    ledger.await_review(lease, "es", "draft.es")
    ledger.await_review(lease, "es", "draft.es")
    ledger.fail_output(lease, "fr", BROKEN)
    assert ledger.job(lease.job_id).status is JobStatus.PROCESSING
    ledger.await_review(lease, "de", "draft.de")

    assert ledger.job(lease.job_id).status is JobStatus.AWAITING_REVIEW
    assert ledger.owners() == frozenset()
    assert ledger.claim("worker") is None
    assert [output.script for output in ledger.outputs(lease.job_id)] == ["draft.es", "", "draft.de"]
    ledger.await_review(lease, "de", "draft.de")  # delivered again
    with pytest.raises(LeaseLostError):
        ledger.fail_output(lease, "es", BROKEN)

    job = ledger.redub(lease.job_id)
    assert (job.status, job.reviewed, job.attempt) == (JobStatus.UPLOADED, True, 0)
    assert statuses(ledger, job.id) == [StageStatus.PENDING, StageStatus.FAILED, StageStatus.PENDING]
    assert [part.key for part in ledger.parts(job.id, Stage.TRANSCRIPTION)] == ["key"]
    again = claim(ledger)
    for language in ("es", "de"):
        ledger.publish(again, language, {}, {})
    assert ledger.job(job.id).status is JobStatus.COMPLETED


def test_the_last_language_to_fail_leaves_the_others_to_be_reviewed(ledger: Ledger) -> None:
    lease = claimed(ledger, target_languages=("es", "fr"), review=True)
    ledger.await_review(lease, "es", "draft.es")
    ledger.fail_output(lease, "fr", BROKEN)
    assert ledger.job(lease.job_id).status is JobStatus.AWAITING_REVIEW


def test_a_draft_of_an_earlier_attempt_does_not_end_the_work_of_this_one(ledger: Ledger) -> None:
    first = claimed(ledger, target_languages=("es", "fr"), review=True)
    ledger.await_review(first, "es", "draft.es")
    let_leases_run_out(ledger)
    second = claim(ledger)
    ledger.await_review(second, "fr", "draft.fr")
    assert ledger.job(first.job_id).status is JobStatus.PROCESSING
    with pytest.raises(LeaseLostError):
        ledger.await_review(first, "fr", "stale")
    ledger.await_review(second, "es", "draft.es")
    assert ledger.job(first.job_id).status is JobStatus.AWAITING_REVIEW


def test_what_can_be_done_with_a_job_that_waits_for_its_review(ledger: Ledger) -> None:
    lease = claimed(ledger, review=True)
    ledger.await_review(lease, "es", "draft.es")

    with pytest.raises(DubflowError) as refused:
        ledger.requeue(lease.job_id)
    assert code_of(refused) is ErrorCode.CONFLICT
    assert ledger.cancel(lease.job_id).status is JobStatus.CANCELLED

    job = ledger.requeue(lease.job_id)
    assert not job.reviewed
    ledger.await_review(claim(ledger), "es", "draft.es")
    assert ledger.job(job.id).status is JobStatus.AWAITING_REVIEW
    ledger.delete(job.id)
    assert ledger.jobs().jobs == ()


def test_an_added_language_is_reviewed_as_the_first_ones_were(ledger: Ledger) -> None:
    lease = claimed(ledger, review=True)
    ledger.await_review(lease, "es", "draft.es")
    assert not ledger.add_languages(lease.job_id, ["fr"]).reviewed
    second = claim(ledger)
    for language in ("es", "fr"):
        ledger.await_review(second, language, f"draft.{language}")
    ledger.redub(lease.job_id)
    third = claim(ledger)
    for language in ("es", "fr"):
        ledger.publish(third, language, {}, {})

    assert not ledger.add_languages(lease.job_id, ["de"]).reviewed
    ledger.await_review(claim(ledger), "de", "draft.de")
    assert ledger.job(lease.job_id).status is JobStatus.AWAITING_REVIEW
    assert statuses(ledger, lease.job_id) == [StageStatus.COMPLETED, StageStatus.COMPLETED, StageStatus.PENDING]


def test_a_job_without_review_keeps_none_when_it_is_extended(ledger: Ledger) -> None:
    job_id = published(ledger, "es")
    ledger.add_languages(job_id, ["fr"])
    lease = claim(ledger)
    ledger.publish(lease, "fr", {}, {})
    assert ledger.job(job_id).status is JobStatus.COMPLETED
    assert ledger.submit(request(target_languages=("es",))).request.review is False
