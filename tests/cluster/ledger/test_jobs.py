import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cluster.errors import DubflowError, ErrorCode, LeaseLostError
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Failure, JobStatus, Priority, Stage, StageStatus
from tests.fixtures.ledgers import claimed, request, scene

BROKEN = Failure(ErrorCode.UNSUPPORTED_MEDIA, "no video in here", Stage.VALIDATION)


def test_submitting_makes_a_waiting_job_that_carries_the_request(ledger: Ledger) -> None:
    wanted = request(
        target_languages=("es", "pt-BR"),
        source_language="en",
        options={"voices": {"S1": "ana"}, "rate": 1.0, "keep": [1, None, True]},
        tenant="acme",
        priority=Priority.BULK,
        batch="b1",
    )

    job = ledger.submit(wanted)

    assert job.request == wanted
    assert (job.status, job.attempt, job.progress, job.seq) == (JobStatus.UPLOADED, 0, 0.0, 1)
    assert job.created_at == pytest.approx(job.updated_at, abs=5)
    assert ledger.job(job.id) == job


def test_submitting_the_same_again_returns_the_same_job(ledger: Ledger) -> None:
    first = ledger.submit(request(target_languages=("es", "fr"), options={"a": 1, "b": 2}))
    again = ledger.submit(request(target_languages=("fr", "es"), options={"b": 2, "a": 1}))

    assert again.id == first.id
    assert len(ledger.jobs().jobs) == 1


def test_doors_that_submit_the_same_at_the_same_time_get_one_job(ledger: Ledger) -> None:
    start = threading.Barrier(6)

    def submit(number: int) -> str:
        start.wait()
        return ledger.submit(request(tenant="new", batch=str(number))).id

    with ThreadPoolExecutor(6) as threads:
        ids = set(threads.map(submit, range(6)))

    assert len(ids) == 1
    assert len(ledger.jobs().jobs) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"tenant": "other"},
        {"source_uri": "s3://videos/other.mp4"},
        {"source_version": "etag-2"},
        {"source_language": "en"},
        {"target_languages": ("es", "fr")},
        {"options": {"keep_background": True}},
        {"destination": "s3://elsewhere"},
        {"stem": "folder/talk"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_decides_the_result_makes_another_job(ledger: Ledger, change: dict[str, object]) -> None:
    assert ledger.submit(request(**change)).id != ledger.submit(request()).id


def test_a_waiting_job_moves_to_the_newest_batch_and_only_up_in_priority(ledger: Ledger) -> None:
    ledger.submit(request(priority=Priority.BULK, batch="night"))

    raised = ledger.submit(request(priority=Priority.INTERACTIVE, batch="now"))
    kept = ledger.submit(request(priority=Priority.BULK, batch="night again"))

    assert (raised.request.priority, raised.request.batch) == (Priority.INTERACTIVE, "now")
    assert (kept.request.priority, kept.request.batch) == (Priority.INTERACTIVE, "night again")


def test_a_finished_job_stays_in_its_batch(ledger: Ledger) -> None:
    job = ledger.submit(request(batch="first"))
    ledger.cancel(job.id)

    assert ledger.submit(request(batch="second")).request.batch == "first"


@pytest.mark.parametrize(
    "wrong",
    [
        {"target_languages": ()},
        {"target_languages": ("es", "es")},
        {"stem": "caf\udce9"},
        {"batch": "nul\0"},
        {"options": {"rate": float("nan")}},
        {"options": {"rate": {1, 2}}},
        {"options": {1: "number as a key"}},
    ],
)
def test_requests_that_cannot_be_kept_are_refused(ledger: Ledger, wrong: dict[str, object]) -> None:
    with pytest.raises(DubflowError) as refused:
        ledger.submit(request(**wrong))

    assert refused.value.code is ErrorCode.INVALID_REQUEST
    assert ledger.jobs().jobs == ()


def test_a_waiting_job_can_be_cancelled_and_that_again(ledger: Ledger) -> None:
    job = ledger.submit(request())

    cancelled = ledger.cancel(job.id)

    assert cancelled.status is JobStatus.CANCELLED
    assert cancelled.failure is not None
    assert cancelled.failure.code is ErrorCode.CANCELLED
    assert ledger.cancel(job.id) == cancelled
    assert ledger.claim("worker") is None


def test_cancelling_takes_the_job_away_from_its_worker(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.begin(lease, scene(0), "key")
    ledger.cancel(lease.job_id)
    before = ledger.events(lease.job_id)

    for write in (
        lambda: ledger.begin(lease, scene(1), "key"),
        lambda: ledger.finish(lease, scene(0), "key", seconds=1.0),
        lambda: ledger.expect(lease, Stage.TRANSCRIPTION, "", 1),
        lambda: ledger.publish(lease, "es", {"video": "s3://dubbed/talk.es.mp4"}, {}),
        lambda: ledger.fail_output(lease, "es", BROKEN),
        lambda: ledger.warn(lease, "no_speech", "nothing is said"),
        lambda: ledger.fail(lease, BROKEN),
        lambda: ledger.hand_back(lease),
    ):
        with pytest.raises(LeaseLostError):
            write()

    assert ledger.events(lease.job_id) == before
    assert ledger.heartbeat("worker") == frozenset()


@pytest.mark.parametrize("end", ["publish", "fail"])
def test_a_job_that_has_ended_cannot_be_cancelled(ledger: Ledger, end: str) -> None:
    lease = claimed(ledger)
    if end == "publish":
        ledger.publish(lease, "es", {"video": "a"}, {})
    else:
        ledger.fail(lease, BROKEN)

    with pytest.raises(DubflowError) as refused:
        ledger.cancel(lease.job_id)

    assert refused.value.code is ErrorCode.CONFLICT


def test_a_failed_job_is_queued_again_as_if_it_were_new(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.begin(lease, scene(0), "key")
    ledger.warn(lease, "no_speech", "nothing is said")
    ledger.fail(lease, BROKEN)

    job = ledger.requeue(lease.job_id, batch="retry")

    assert (job.status, job.attempt, job.progress, job.failure, job.warnings) == (JobStatus.UPLOADED, 0, 0.0, None, ())
    assert job.request.batch == "retry"
    assert ledger.parts(job.id, Stage.TRANSCRIPTION) == ()
    again = ledger.claim("other")
    assert again is not None
    assert again.lease.fence > lease.fence
    assert again.job.attempt == 1


def test_requeueing_makes_only_what_is_missing_unless_told_otherwise(ledger: Ledger) -> None:
    lease = claimed(ledger, target_languages=("es", "fr"))
    ledger.publish(lease, "es", {"video": "a"}, {})
    ledger.fail_output(lease, "fr", BROKEN)

    ledger.requeue(lease.job_id)
    assert [output.status for output in ledger.outputs(lease.job_id)] == [StageStatus.COMPLETED, StageStatus.PENDING]
    ledger.cancel(lease.job_id)
    ledger.requeue(lease.job_id, languages=["es"])
    assert [output.status for output in ledger.outputs(lease.job_id)] == [StageStatus.PENDING, StageStatus.FAILED]


def test_requeueing_a_complete_job_makes_everything_again_and_keeps_the_former_until_then(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.publish(lease, "es", {"video": "old"}, {"utterances": 3})

    ledger.requeue(lease.job_id)
    claim = ledger.claim("worker")

    assert claim is not None
    (pending,) = ledger.outputs(lease.job_id)
    assert (pending.status, pending.files) == (StageStatus.PENDING, {"video": "old"})
    assert ledger.publish(claim.lease, "es", {"video": "new"}, {}) is True
    assert ledger.outputs(lease.job_id)[0].files == {"video": "new"}


def test_requeueing_refuses_languages_that_the_job_has_not(ledger: Ledger) -> None:
    job = ledger.submit(request())
    ledger.cancel(job.id)

    with pytest.raises(DubflowError) as unknown:
        ledger.requeue(job.id, languages=["xx"])
    with pytest.raises(DubflowError) as nothing:
        ledger.requeue(job.id, languages=[])

    assert (unknown.value.code, nothing.value.code) == (ErrorCode.NOT_FOUND, ErrorCode.INVALID_REQUEST)
    assert ledger.job(job.id).status is JobStatus.CANCELLED


def test_only_jobs_that_have_ended_are_requeued_deleted_or_extended(ledger: Ledger) -> None:
    running = claimed(ledger, name="running").job_id
    waiting = ledger.submit(request("waiting")).id

    for job_id in (waiting, running):
        for refused in (ledger.requeue, ledger.delete, lambda job_id: ledger.add_languages(job_id, ["fr"])):
            with pytest.raises(DubflowError) as conflict:
                refused(job_id)
            assert conflict.value.code is ErrorCode.CONFLICT


def test_adding_a_language_keeps_what_is_published_and_analysed(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.expect(lease, Stage.TRANSCRIPTION, "", 1)
    ledger.finish(lease, scene(0), "key", seconds=2.0)
    ledger.publish(lease, "es", {"video": "a"}, {})

    job = ledger.add_languages(lease.job_id, ["fr", "es", "fr"])

    assert job.request.target_languages == ("es", "fr")
    assert job.status is JobStatus.UPLOADED
    assert [output.status for output in ledger.outputs(job.id)] == [StageStatus.COMPLETED, StageStatus.PENDING]
    assert ledger.parts(job.id, Stage.TRANSCRIPTION)[0].status is StageStatus.COMPLETED
    claim = ledger.claim("worker")
    assert claim is not None
    assert ledger.publish(claim.lease, "fr", {"video": "b"}, {}) is True
    assert ledger.job(job.id).status is JobStatus.COMPLETED
    assert ledger.submit(request()).id == job.id


def test_adding_languages_that_are_there_changes_nothing(ledger: Ledger) -> None:
    job = ledger.submit(request())

    assert ledger.add_languages(job.id, ["es"]) == job


def test_deleting_removes_every_trace(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.expect(lease, Stage.TRANSCRIPTION, "", 1)
    ledger.finish(lease, scene(0), "key", seconds=2.0)
    ledger.publish(lease, "es", {"video": "a"}, {})

    ledger.delete(lease.job_id)

    for read in (
        ledger.job,
        ledger.stages,
        ledger.outputs,
        ledger.events,
        ledger.delete,
        ledger.requeue,
        ledger.cancel,
    ):
        with pytest.raises(DubflowError) as unknown:
            read(lease.job_id)
        assert unknown.value.code is ErrorCode.NOT_FOUND
    assert ledger.submit(request()).id != lease.job_id


def test_cancelling_leaves_no_part_at_work(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.begin(lease, scene(0), "key")
    ledger.cancel(lease.job_id)
    (part,) = ledger.parts(lease.job_id, Stage.TRANSCRIPTION)
    assert (part.status, part.attempts) == (StageStatus.PENDING, 0)
