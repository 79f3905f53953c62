import pytest

from cluster.errors import DubflowError, ErrorCode, LeaseLostError
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Failure, JobStatus, Output, Stage, StageStatus
from tests.fixtures.ledgers import claimed, let_leases_run_out

MUTE = Failure(ErrorCode.UNSUPPORTED_LANGUAGE, "no voice speaks it", Stage.SYNTHESIS)
FILES = {"video": "s3://dubbed/talk.es.mp4", "srt": "s3://dubbed/talk.es.srt"}
REPORT = {"utterances": 3, "rates": {"p50": 1.0}, "warnings": []}


def test_publishing_the_last_language_completes_the_job_and_ends_the_lease(ledger: Ledger) -> None:
    lease = claimed(ledger, target_languages=("es", "fr"))

    assert ledger.publish(lease, "es", FILES, REPORT) is True
    assert ledger.job(lease.job_id).status is JobStatus.PROCESSING
    assert ledger.publish(lease, "fr", {"video": "f"}, {}) is True

    job = ledger.job(lease.job_id)
    assert (job.status, job.progress, job.failure) == (JobStatus.COMPLETED, 100.0, None)
    assert ledger.outputs(lease.job_id)[0] == Output("es", StageStatus.COMPLETED, FILES, REPORT)
    assert ledger.owners() == frozenset()


def test_publishing_again_is_told_the_same_even_after_the_job_has_ended(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.publish(lease, "es", FILES, REPORT)
    events = ledger.events(lease.job_id)

    assert ledger.publish(lease, "es", {"video": "other"}, {}) is True
    assert ledger.outputs(lease.job_id)[0].files == FILES
    assert ledger.events(lease.job_id) == events


def test_a_language_is_published_once_over_all_attempts(ledger: Ledger) -> None:
    first = claimed(ledger, target_languages=("es", "fr"))
    ledger.publish(first, "es", FILES, REPORT)
    let_leases_run_out(ledger)
    claim = ledger.claim("second")
    assert claim is not None

    assert ledger.publish(claim.lease, "es", {"video": "again"}, {}) is False
    assert ledger.outputs(first.job_id)[0].files == FILES
    assert ledger.publish(first, "es", FILES, REPORT) is True
    with pytest.raises(LeaseLostError):
        ledger.publish(first, "fr", {"video": "stale"}, {})
    assert ledger.publish(claim.lease, "fr", {"video": "f"}, {}) is True


def test_one_failed_language_does_not_spoil_the_others(ledger: Ledger) -> None:
    lease = claimed(ledger, target_languages=("es", "fr"))
    ledger.fail_output(lease, "es", MUTE)
    ledger.publish(lease, "fr", FILES, REPORT)

    job = ledger.job(lease.job_id)
    assert (job.status, job.progress, job.failure) == (JobStatus.COMPLETED, 100.0, None)
    assert [(output.status, output.failure) for output in ledger.outputs(lease.job_id)] == [
        (StageStatus.FAILED, MUTE),
        (StageStatus.COMPLETED, None),
    ]


def test_a_job_fails_like_its_first_language_if_all_fail(ledger: Ledger) -> None:
    lease = claimed(ledger, target_languages=("es", "fr"))
    ledger.fail_output(lease, "fr", Failure(ErrorCode.INTERNAL, "second"))
    ledger.fail_output(lease, "es", MUTE)

    job = ledger.job(lease.job_id)
    assert (job.status, job.failure) == (JobStatus.FAILED, MUTE)
    ledger.fail_output(lease, "es", MUTE)
    assert ledger.job(lease.job_id) == job


def test_what_is_published_does_not_fail_afterwards(ledger: Ledger) -> None:
    lease = claimed(ledger, target_languages=("es", "fr"))
    ledger.publish(lease, "es", FILES, REPORT)

    ledger.fail_output(lease, "es", MUTE)

    assert ledger.outputs(lease.job_id)[0].status is StageStatus.COMPLETED


def test_a_language_that_failed_may_still_be_published_while_the_job_runs(ledger: Ledger) -> None:
    lease = claimed(ledger, target_languages=("es", "fr"))
    ledger.fail_output(lease, "es", MUTE)

    assert ledger.publish(lease, "es", FILES, REPORT) is True
    assert ledger.outputs(lease.job_id)[0].failure is None


def test_languages_that_the_job_has_not_are_refused(ledger: Ledger) -> None:
    lease = claimed(ledger)

    for write in (lambda: ledger.publish(lease, "xx", {}, {}), lambda: ledger.fail_output(lease, "xx", MUTE)):
        with pytest.raises(DubflowError) as refused:
            write()
        assert refused.value.code is ErrorCode.NOT_FOUND


def test_a_report_that_is_no_json_is_refused(ledger: Ledger) -> None:
    lease = claimed(ledger)

    with pytest.raises(DubflowError) as refused:
        ledger.publish(lease, "es", FILES, {"fill_ratio": float("nan")})

    assert refused.value.code is ErrorCode.INVALID_REQUEST
    assert ledger.job(lease.job_id).status is JobStatus.PROCESSING


def test_a_worker_of_a_deleted_job_has_lost_its_lease(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.cancel(lease.job_id)
    ledger.delete(lease.job_id)

    with pytest.raises(LeaseLostError):
        ledger.publish(lease, "es", FILES, REPORT)
    with pytest.raises(LeaseLostError):
        ledger.warn(lease, "no_speech", "nothing is said")
