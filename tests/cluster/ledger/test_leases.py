import pickle

import pytest

from cluster.errors import ErrorCode, LeaseLostError
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Failure, JobStatus, Lease, Stage, StageStatus
from tests.fixtures.ledgers import (
    claimed,
    let_leases_run_out,
    let_pauses_end,
    let_work_stand_still,
    request,
    scene,
)

AWAY = Failure(ErrorCode.STORAGE_FAILED, "the bucket did not answer")


def test_beating_renews_all_leases_of_an_owner_and_names_them(ledger: Ledger) -> None:
    held = {claimed(ledger, "worker", name=name).job_id for name in ("a", "b")}
    claimed(ledger, "other", name="c")
    let_leases_run_out(ledger)

    assert ledger.heartbeat("worker") == held
    assert len(ledger.reclaim()) == 1
    assert ledger.heartbeat("other") == frozenset()
    assert ledger.owners() == {"worker"}


def test_a_lost_job_goes_back_into_the_queue_until_its_attempts_run_out(ledger: Ledger) -> None:
    job_id = claimed(ledger).job_id
    for attempt in (2, 3):
        let_leases_run_out(ledger)
        claim = ledger.claim("worker")
        assert claim is not None
        assert claim.job.attempt == attempt
    let_leases_run_out(ledger)

    assert ledger.reclaim() == {job_id}

    job = ledger.job(job_id)
    assert job.status is JobStatus.FAILED
    assert job.failure is not None
    assert job.failure.code is ErrorCode.WORKER_CRASHED
    assert ledger.outputs(job_id)[0].status is StageStatus.FAILED
    assert [dead.id for dead in ledger.dead_letters().jobs] == [job_id]
    assert ledger.requeue(job_id).attempt == 0
    assert ledger.dead_letters().jobs == ()


def test_the_leases_of_a_dead_owner_are_let_go_at_once(ledger: Ledger) -> None:
    lost = {claimed(ledger, "dead", name=name).job_id for name in ("a", "b")}
    kept = claimed(ledger, "alive", name="c")

    assert ledger.expire_owner("dead") == lost
    assert ledger.expire_owner("dead") == frozenset()
    assert {ledger.job(job_id).status for job_id in lost} == {JobStatus.UPLOADED}
    assert ledger.heartbeat("alive") == {kept.job_id}


def test_a_job_that_is_handed_back_keeps_its_attempts_and_its_place(ledger: Ledger) -> None:
    lease = claimed(ledger, name="first")
    ledger.submit(request("second"))
    ledger.begin(lease, scene(0), "key")

    ledger.hand_back(lease)

    assert ledger.job(lease.job_id).attempt == 0
    assert ledger.parts(lease.job_id, Stage.TRANSCRIPTION)[0].attempts == 0
    claim = ledger.claim("other")
    assert claim is not None
    assert (claim.job.id, claim.job.attempt, claim.lease.fence) == (lease.job_id, 1, 2)
    with pytest.raises(LeaseLostError):
        ledger.hand_back(lease)


def test_a_failure_for_good_fails_the_job_at_once(ledger: Ledger) -> None:
    lease = claimed(ledger, target_languages=("es", "fr"))
    ledger.publish(lease, "fr", {"video": "a"}, {})
    failure = Failure(ErrorCode.NO_AUDIO, "there is no audio stream", Stage.VALIDATION)

    ledger.fail(lease, failure)

    job = ledger.job(lease.job_id)
    assert (job.status, job.failure) == (JobStatus.FAILED, failure)
    assert [(output.status, output.failure) for output in ledger.outputs(lease.job_id)] == [
        (StageStatus.FAILED, failure),
        (StageStatus.COMPLETED, None),
    ]
    assert ledger.dead_letters().jobs == ()
    assert ledger.owners() == frozenset()


def test_a_failure_that_may_pass_is_tried_again_until_the_attempts_run_out(ledger: Ledger) -> None:
    lease = claimed(ledger)
    for attempt in (2, 3):
        ledger.fail(lease, AWAY)
        waiting = ledger.job(lease.job_id)
        assert (waiting.status, waiting.failure) == (JobStatus.UPLOADED, AWAY)
        let_pauses_end(ledger)
        claim = ledger.claim("worker")
        assert claim is not None
        assert (claim.job.attempt, claim.job.failure) == (attempt, None)
        lease = claim.lease

    ledger.fail(lease, AWAY)

    assert ledger.job(lease.job_id).failure == AWAY
    assert [dead.id for dead in ledger.dead_letters().jobs] == [lease.job_id]


def test_a_failure_message_that_no_database_takes_is_stored_all_the_same(ledger: Ledger) -> None:
    lease = claimed(ledger)

    ledger.fail(lease, Failure(ErrorCode.ENGINE_FAILED, "bad \0 name \udcff"))

    failure = ledger.job(lease.job_id).failure
    assert failure is not None
    assert failure.message == "bad \N{REPLACEMENT CHARACTER} name ?"


def test_a_job_stands_still_when_nothing_is_written_about_it(ledger: Ledger) -> None:
    quiet, busy = (claimed(ledger, name=name) for name in ("quiet", "busy"))
    claimed(ledger, "other", name="elsewhere")
    let_work_stand_still(ledger, 100.0)
    ledger.begin(busy, scene(0), "key")
    ledger.heartbeat("worker")

    assert ledger.stalled("worker", 50.0) == (quiet,)
    assert ledger.stalled("worker", 200.0) == ()
    assert ledger.release_stalled(busy, 50.0) is False
    assert ledger.release_stalled(Lease(quiet.job_id, "worker", quiet.fence + 1), 50.0) is False
    assert ledger.release_stalled(quiet, 50.0) is True
    assert ledger.job(quiet.job_id).status is JobStatus.UPLOADED
    assert ledger.job(quiet.job_id).attempt == 1
    assert ledger.release_stalled(quiet, 50.0) is False


def test_a_ledger_travels_to_another_process_by_its_settings(database_url: str) -> None:
    ledger = Ledger(database_url, lease_seconds=7.0, max_attempts=1)
    job = ledger.submit(request())

    copy: Ledger = pickle.loads(pickle.dumps(ledger))

    assert copy.job(job.id) == job
    assert (copy.lease_seconds, copy.max_attempts) == (7.0, 1)
    copy.close()
    ledger.close()
