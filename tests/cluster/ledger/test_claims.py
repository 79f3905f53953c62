import pytest

from cluster.errors import ErrorCode, LeaseLostError
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Failure, JobStatus, Priority, Stage, StageStatus
from tests.fixtures.ledgers import claimed, let_leases_run_out, let_pauses_end, request, scene


def names_in_order_of_claims(ledger: Ledger, batch: str | None = None) -> list[str]:
    names = []
    while (claim := ledger.claim("worker", batch)) is not None:
        names.append(claim.job.request.stem)
    return names


def test_an_empty_queue_gives_nothing(ledger: Ledger) -> None:
    assert ledger.claim("worker") is None


def test_a_claim_starts_an_attempt_and_lists_the_outputs(ledger: Ledger) -> None:
    job = ledger.submit(request(target_languages=("es", "fr")))

    claim = ledger.claim("worker")

    assert claim is not None
    assert (claim.lease.job_id, claim.lease.owner, claim.lease.fence) == (job.id, "worker", 1)
    assert (claim.job.status, claim.job.attempt) == (JobStatus.PROCESSING, 1)
    assert claim.job == ledger.job(job.id)
    assert [(output.language, output.status) for output in ledger.outputs(job.id)] == [
        ("es", StageStatus.PENDING),
        ("fr", StageStatus.PENDING),
    ]
    assert ledger.claim("other") is None


def test_interactive_jobs_overtake_bulk_jobs_and_older_ones_go_first(ledger: Ledger) -> None:
    for name in ("bulk 1", "bulk 2"):
        ledger.submit(request(name, priority=Priority.BULK))
    for name in ("interactive 1", "interactive 2"):
        ledger.submit(request(name, priority=Priority.INTERACTIVE))

    assert names_in_order_of_claims(ledger) == ["interactive 1", "interactive 2", "bulk 1", "bulk 2"]


def test_tenants_take_turns_however_many_jobs_one_of_them_has(ledger: Ledger) -> None:
    for name in ("a1", "a2", "a3", "a4"):
        ledger.submit(request(name, tenant="a"))
    for name in ("b1", "b2"):
        ledger.submit(request(name, tenant="b"))
    ledger.submit(request("c1", tenant="c"))

    assert names_in_order_of_claims(ledger) == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]


def test_a_tenant_that_comes_late_is_next(ledger: Ledger) -> None:
    for name in ("a1", "a2", "a3"):
        ledger.submit(request(name, tenant="a"))
    ledger.claim("worker")
    ledger.submit(request("z1", tenant="z"))

    assert names_in_order_of_claims(ledger) == ["z1", "a2", "a3"]


def test_turns_do_not_hold_up_a_higher_priority(ledger: Ledger) -> None:
    ledger.submit(request("a1", tenant="a", priority=Priority.INTERACTIVE))
    ledger.submit(request("a2", tenant="a", priority=Priority.INTERACTIVE))
    ledger.submit(request("b1", tenant="b", priority=Priority.BULK))

    assert names_in_order_of_claims(ledger) == ["a1", "a2", "b1"]


def test_a_batch_is_served_alone(ledger: Ledger) -> None:
    ledger.submit(request("mine 1", batch="mine", priority=Priority.BULK))
    ledger.submit(request("other", batch="other"))
    ledger.submit(request("mine 2", batch="mine", priority=Priority.BULK, tenant="b"))

    assert names_in_order_of_claims(ledger, "mine") == ["mine 1", "mine 2"]
    assert names_in_order_of_claims(ledger) == ["other"]


def test_an_empty_queue_is_found_empty_without_a_write(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    claimed(ledger)
    ledger.submit(request("later"))
    ledger.fail(ledger.claim("worker").lease, Failure(ErrorCode.STORAGE_FAILED, "away"))  # type: ignore[union-attr]

    def no_write(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(ledger._database, "write", no_write)

    assert ledger.claim("worker") is None


def test_a_lease_that_ran_out_is_taken_back_by_the_next_claim(ledger: Ledger) -> None:
    old = claimed(ledger, owner="first")
    let_leases_run_out(ledger)

    claim = ledger.claim("second")

    assert claim is not None
    assert claim.lease.fence == old.fence + 1
    assert claim.job.attempt == 2
    with pytest.raises(LeaseLostError):
        ledger.begin(old, scene(0), "key")
    assert ledger.begin(claim.lease, scene(0), "key") == 1


def test_a_claim_takes_leases_back_whatever_their_batch(ledger: Ledger) -> None:
    lease = claimed(ledger, batch="theirs")
    let_leases_run_out(ledger)

    assert ledger.claim("worker", "mine") is None
    assert ledger.job(lease.job_id).status is JobStatus.UPLOADED


def test_a_job_that_waits_after_a_failure_is_not_claimed_before_its_time(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.fail(lease, Failure(ErrorCode.STORAGE_FAILED, "the bucket did not answer"))

    assert ledger.claim("worker") is None
    let_pauses_end(ledger)
    assert ledger.claim("worker") is not None


def test_progress_begins_with_what_the_last_attempt_left(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.expect(lease, Stage.TRANSCRIPTION, "", 3)
    ledger.finish(lease, scene(0), "key", seconds=1.0)
    ledger.hand_back(lease)

    claim = ledger.claim("worker")

    assert claim is not None
    assert claim.job.progress == 5.0


def test_a_claim_may_leave_bulk_jobs_alone(ledger: Ledger) -> None:
    ledger.submit(request("bulk", priority=Priority.BULK))
    assert ledger.claim("worker", at_least=Priority.INTERACTIVE) is None
    ledger.submit(request("interactive", priority=Priority.INTERACTIVE))
    claim = ledger.claim("worker", at_least=Priority.INTERACTIVE)
    assert claim is not None
    assert claim.job.request.stem == "interactive"
    assert ledger.claim("worker", at_least=Priority.INTERACTIVE) is None
    assert names_in_order_of_claims(ledger) == ["bulk"]
