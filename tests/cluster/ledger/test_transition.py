"""What PostgreSQL's row locks must do, each with two transactions that meet at a chosen moment."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import delete, text, update

from cluster.errors import LeaseLostError
from cluster.ledger.clock import Now
from cluster.ledger.database import Database
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import JobStatus, Priority, Stage
from cluster.ledger.tables import leases
from cluster.ledger.transition import lock_job
from tests.fixtures.ledgers import claimed, let_leases_run_out, request, scene


@pytest.fixture
def shared(postgresql_url: str) -> Iterator[Ledger]:
    ledger = Ledger(postgresql_url)
    yield ledger
    ledger.close()


@pytest.fixture
def other(postgresql_url: str) -> Iterator[Database]:
    database = Database(postgresql_url)
    yield database
    database.close()


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def wait_until_blocked(ledger: Ledger) -> None:
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    deadline = time.monotonic() + 10
    while not ledger._database.read(lambda connection: connection.scalar(waiting)):
        assert time.monotonic() < deadline, "nobody waits for the lock"
        time.sleep(0.01)


@pytest.mark.parametrize(
    "write",
    [
        lambda ledger, lease: ledger.begin(lease, scene(0), "key"),
        lambda ledger, lease: ledger.finish(lease, scene(0), "key", seconds=1.0),
        lambda ledger, lease: ledger.expect(lease, Stage.TRANSCRIPTION, "", 3),
        lambda ledger, lease: ledger.publish(lease, "es", {"video": "stale"}, {}),
        lambda ledger, lease: ledger.warn(lease, "no_speech", "nothing is said"),
        lambda ledger, lease: ledger.hand_back(lease),
    ],
    ids=["begin", "finish", "expect", "publish", "warn", "hand_back"],
)
def test_a_write_that_meets_a_cancel_waits_for_it_and_changes_nothing(
    shared: Ledger, other: Database, thread: ThreadPoolExecutor, write: Callable[..., object]
) -> None:
    lease = claimed(shared)
    with other._connections().begin() as connection:
        transition = lock_job(connection, lease.job_id)
        late = thread.submit(write, shared, lease)
        wait_until_blocked(shared)
        connection.execute(delete(leases).where(leases.c.job_id == lease.job_id))
        transition.move(JobStatus.CANCELLED, fence=lease.fence + 1)
        transition.save()

    with pytest.raises(LeaseLostError):
        late.result(10)
    assert [event.seq for event in shared.events(lease.job_id)] == [1, 2, 3, 4]


def test_a_cancel_that_meets_a_write_waits_for_it(shared: Ledger, other: Database, thread: ThreadPoolExecutor) -> None:
    lease = claimed(shared)
    with other._connections().begin() as connection:
        lock_job(connection, lease.job_id)
        cancelled = thread.submit(shared.cancel, lease.job_id)
        wait_until_blocked(shared)
        assert not cancelled.done()

    assert cancelled.result(10).status is JobStatus.CANCELLED


def test_a_lease_that_is_being_renewed_is_not_taken_back(
    shared: Ledger, other: Database, thread: ThreadPoolExecutor
) -> None:
    lease = claimed(shared)
    let_leases_run_out(shared)
    with other._connections().begin() as connection:
        connection.execute(update(leases).values(expires_at=Now() + 60.0))
        taken = thread.submit(shared.reclaim)
        wait_until_blocked(shared)

    assert taken.result(10) == frozenset()
    assert shared.heartbeat("worker") == {lease.job_id}


def test_a_claim_passes_over_a_job_that_another_holds(
    shared: Ledger, other: Database, thread: ThreadPoolExecutor
) -> None:
    first = shared.submit(request("first"))
    second = shared.submit(request("second"))
    with other._connections().begin() as connection:
        lock_job(connection, first.id)
        claim = thread.submit(shared.claim, "worker").result(10)

    assert claim is not None
    assert claim.job.id == second.id


def test_a_claim_passes_over_a_tenant_and_a_priority_whose_jobs_others_hold(
    shared: Ledger, other: Database, thread: ThreadPoolExecutor
) -> None:
    held = [shared.submit(request(tenant=tenant)) for tenant in ("a", "b")]
    bulk = shared.submit(request(tenant="a", stem="bulk", priority=Priority.BULK))
    with other._connections().begin() as connection:
        for job in held:
            lock_job(connection, job.id)
        claim = thread.submit(shared.claim, "worker").result(10)

    assert claim is not None
    assert claim.job.id == bulk.id


def test_threads_that_finish_parts_of_one_job_find_one_closer_and_number_all_events(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.expect(lease, Stage.TRANSCRIPTION, "", 24)
    start = threading.Barrier(4)

    def work(indices: range) -> list[int]:
        start.wait()
        for index in indices:
            ledger.begin(lease, scene(index), "key")
        return [index for index in indices if ledger.finish(lease, scene(index), "key", seconds=1.0)]

    with ThreadPoolExecutor(4) as executor:
        found: list[Future[list[int]]] = [executor.submit(work, range(first, 24, 4)) for first in range(4)]
        closers = [index for future in found for index in future.result(60)]

    assert len(closers) == 1
    assert [index for index in range(24) if ledger.finish(lease, scene(index), "key", seconds=1.0)] == closers
    events = ledger.events(lease.job_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[-1].data["done"] == 24
