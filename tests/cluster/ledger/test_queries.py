import pytest

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Failure, JobStatus, Output, Priority, Stage, StageStatus
from tests.fixtures.ledgers import claimed, request, scene


def stems(ledger: Ledger, **wanted: object) -> list[str]:
    return [job.request.stem for job in ledger.jobs(**wanted).jobs]  # type: ignore[arg-type]


def test_jobs_are_listed_newest_first_by_tenant_status_and_batch(ledger: Ledger) -> None:
    ledger.submit(request("a", tenant="one", batch="x"))
    ledger.submit(request("b", tenant="two", batch="x"))
    ledger.cancel(ledger.submit(request("c", tenant="one", batch="y")).id)

    assert stems(ledger) == ["c", "b", "a"]
    assert stems(ledger, tenant="one") == ["c", "a"]
    assert stems(ledger, batch="x") == ["b", "a"]
    assert stems(ledger, status=JobStatus.CANCELLED) == ["c"]
    assert stems(ledger, tenant="one", status=JobStatus.UPLOADED, batch="x") == ["a"]


def test_pages_follow_each_other_while_jobs_come_and_go(ledger: Ledger) -> None:
    ids = {name: ledger.submit(request(name)).id for name in "abcde"}

    first = ledger.jobs(limit=2)
    ledger.submit(request("f"))
    for name in "dc":
        ledger.cancel(ids[name])
        ledger.delete(ids[name])
    second = ledger.jobs(limit=2, cursor=first.cursor)

    assert [job.request.stem for job in first.jobs] == ["e", "d"]
    assert [job.request.stem for job in second.jobs] == ["b", "a"]
    assert second.cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "٣", "9" * 30])
def test_a_cursor_that_no_page_gave_is_refused(ledger: Ledger, cursor: str) -> None:
    with pytest.raises(DubflowError) as refused:
        ledger.jobs(cursor=cursor)

    assert refused.value.code is ErrorCode.INVALID_REQUEST


def test_jobs_are_counted_by_status(ledger: Ledger) -> None:
    claimed(ledger, name="a", batch="x")
    ledger.submit(request("b", batch="x"))
    ledger.submit(request("c", batch="y", tenant="other"))

    assert ledger.counts(batch="x") == dict.fromkeys(JobStatus, 0) | {JobStatus.PROCESSING: 1, JobStatus.UPLOADED: 1}
    assert ledger.counts(tenant="other")[JobStatus.UPLOADED] == 1
    assert sum(ledger.counts().values()) == 3


def test_the_queue_is_measured_by_priority(ledger: Ledger) -> None:
    for name in ("a", "b"):
        ledger.submit(request(name, priority=Priority.BULK))
    claimed(ledger, name="in work")

    interactive, bulk = sorted(ledger.queue_depth(), key=lambda depth: -depth.priority)

    assert (interactive.priority, interactive.jobs, interactive.oldest_seconds) == (Priority.INTERACTIVE, 0, 0.0)
    assert (bulk.priority, bulk.jobs) == (Priority.BULK, 2)
    assert 0.0 <= bulk.oldest_seconds < 600.0


def test_news_of_many_jobs_come_together(ledger: Ledger) -> None:
    known = {job.id: job.seq for job in (ledger.submit(request(str(number))) for number in range(105))}
    changed = sorted(known)[::50]
    for job_id in changed:
        ledger.cancel(job_id)

    news = ledger.news(known)

    assert sorted(news) == changed
    for job_id in changed:
        assert news[job_id] == ledger.events(job_id, after=known[job_id])
    assert ledger.existing([*known, "nobody"]) == known.keys()


def test_all_stages_are_listed_in_order_before_anything_has_happened(ledger: Ledger) -> None:
    job = ledger.submit(request(target_languages=("es", "fr")))

    listed = ledger.stages(job.id)

    assert [state.stage for state in listed if not state.language] == list(Stage)[:6]
    assert [(state.stage, state.language) for state in listed[6:10]] == [
        (Stage.TRANSLATION, "es"),
        (Stage.TRANSLATION, "fr"),
        (Stage.VOICE_ASSIGNMENT, "es"),
        (Stage.VOICE_ASSIGNMENT, "fr"),
    ]
    assert len(listed) == 6 + 5 * 2
    assert {state.status for state in listed} == {StageStatus.PENDING}


def test_outputs_are_listed_before_a_worker_has_come(ledger: Ledger) -> None:
    job = ledger.submit(request(target_languages=("fr", "es")))

    assert ledger.outputs(job.id) == (Output("fr", StageStatus.PENDING), Output("es", StageStatus.PENDING))


def test_events_tell_the_story_of_a_job_in_order_without_gaps(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.begin(lease, scene(0), "key")
    ledger.expect(lease, Stage.TRANSCRIPTION, "", 1)
    ledger.finish(lease, scene(0), "key", seconds=1.0)
    ledger.warn(lease, "no_speech", "nothing is said")
    ledger.publish(lease, "es", {"video": "a"}, {})

    told = ledger.events(lease.job_id)

    assert [(event.kind, event.data.get("status")) for event in told] == [
        ("job", "uploaded"),
        ("output", "pending"),
        ("job", "processing"),
        ("stage", "running"),
        ("stage", "running"),
        ("stage", "completed"),
        ("warning", None),
        ("output", "completed"),
        ("job", "completed"),
    ]
    assert [event.seq for event in told] == list(range(1, 10))
    assert ledger.job(lease.job_id).seq == 9
    assert ledger.events(lease.job_id, after=7) == told[7:]
    assert ledger.events(lease.job_id, after=2, limit=3) == told[2:5]
    assert ledger.events(lease.job_id, after=9) == ()


def test_events_carry_the_failure_and_the_progress(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.fail(lease, Failure(ErrorCode.NO_AUDIO, "there is no audio stream", Stage.VALIDATION))

    last = ledger.events(lease.job_id)[-1].data

    assert last == {
        "status": "failed",
        "attempt": 1,
        "progress": 0.0,
        "failure": {"code": "no_audio", "message": "there is no audio stream", "stage": "validation"},
    }


def test_unknown_jobs_are_not_found(ledger: Ledger) -> None:
    for read in (
        ledger.job,
        ledger.stages,
        ledger.outputs,
        ledger.events,
        lambda job_id: ledger.parts(job_id, Stage.TRANSCRIPTION),
    ):
        with pytest.raises(DubflowError) as unknown:
            read("0" * 32)
        assert unknown.value.code is ErrorCode.NOT_FOUND
