import threading
from collections.abc import Callable, Collection

import pytest

from cluster.errors import DubflowError, ErrorCode, LeaseLostError
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Lease
from dataflow import work
from dataflow.work import LeaseWatch, Work, current
from tests.fixtures.ledgers import claimed


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "WATCH_SECONDS", 0.02)


@pytest.fixture
def ledger(sqlite_url: str) -> Ledger:
    return Ledger(sqlite_url)


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_what_is_under_way_is_stopped_once_and_nothing_else_begins() -> None:
    wanted, stops = Work(), []
    with wanted.ending(lambda: stops.append("over")):
        pass
    with wanted.ending(lambda: stops.append("first")), wanted.ending(lambda: stops.append("second")):
        wanted.cancel()
        assert stops == ["first", "second"]
    with pytest.raises(LeaseLostError):
        wanted.check()
    with pytest.raises(LeaseLostError), wanted.ending(lambda: stops.append("never")):
        pytest.fail("it was begun")
    assert stops == ["first", "second"]


def test_work_on_no_row_is_never_cancelled() -> None:
    current().cancel()
    current().check()


@pytest.mark.usefixtures("quick")
def test_rows_of_a_cancelled_job_end_and_their_neighbours_go_on(ledger: Ledger) -> None:
    watch = LeaseWatch(ledger)
    lost, kept = claimed(ledger, name="lost"), claimed(ledger, name="kept")
    at_work, stopped = threading.Barrier(4), threading.Semaphore(0)

    def work_on_lost() -> None:
        stop = threading.Event()
        with watch.holding(lost, urgent=True), current().ending(stop.set):
            at_work.wait()
            assert stop.wait(60)
            stopped.release()

    def work_on_kept() -> None:
        with watch.holding(kept, urgent=True):
            at_work.wait()
            assert stopped.acquire(timeout=60)
            assert stopped.acquire(timeout=60)
            current().check()
            stopped.release()

    threads = [in_thread(work) for work in (work_on_lost, work_on_lost, work_on_kept)]
    at_work.wait()
    ledger.cancel(lost.job_id)
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert stopped.acquire(timeout=60)


@pytest.mark.usefixtures("quick")
def test_a_later_claim_of_the_same_job_is_other_work(ledger: Ledger) -> None:
    watch, stop = LeaseWatch(ledger), threading.Event()
    lease = claimed(ledger)
    with watch.holding(lease, urgent=True), current().ending(stop.set):
        ledger.hand_back(lease)
        claim = ledger.claim("worker")
        assert claim is not None
        assert stop.wait(60)
    with watch.holding(claim.lease, urgent=True):
        current().check()


@pytest.mark.usefixtures("quick")
def test_a_ledger_that_does_not_answer_cancels_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Semaphore(0)
    standing = ledger.standing
    away = threading.Event()
    away.set()

    def unreliable(held: Collection[Lease]) -> frozenset[Lease]:
        asked.release()
        if away.is_set():
            raise DubflowError(ErrorCode.DATABASE_FAILED, "the database does not answer")
        return standing(held)

    monkeypatch.setattr(ledger, "standing", unreliable)
    watch, stop = LeaseWatch(ledger), threading.Event()
    lease = claimed(ledger)
    with watch.holding(lease, urgent=True), current().ending(stop.set):
        assert all(asked.acquire(timeout=60) for _ in range(3))
        assert not stop.is_set()
        ledger.cancel(lease.job_id)
        away.clear()
        assert stop.wait(60)
