import threading
from collections.abc import Iterator

import pytest

from cluster.errors import LeaseLostError
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Lease, PartId, Stage
from dataflow import lanes
from dataflow.lanes import BulkWindow, Lanes, Patience
from dataflow.work import Work
from tests.fixtures.ledgers import claimed, let_work_stand_still


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "CHECK_SECONDS", 0.01)


@pytest.fixture
def ledger(sqlite_url: str) -> Iterator[Ledger]:
    opened = Ledger(sqlite_url)
    yield opened
    opened.close()


def patience(ledger: Ledger, lease: Lease, work: Work | None = None) -> Patience:
    return Patience(ledger, lease, work or Work(urgent=False))


def in_time(event: threading.Event) -> bool:
    return event.wait(60)


def test_what_somebody_waits_for_does_not_queue_behind_bulk_work(ledger: Ledger) -> None:
    two_lanes, lease = Lanes(1), claimed(ledger)
    entered, leave = threading.Event(), threading.Event()

    def second_bulk_row() -> None:
        with two_lanes.entered(Work(urgent=False), patience(ledger, lease)):
            entered.set()

    with two_lanes.entered(Work(urgent=False), patience(ledger, lease)):
        thread = threading.Thread(target=second_bulk_row)
        thread.start()
        with two_lanes.entered(Work(urgent=True), patience(ledger, lease)):
            assert not entered.wait(0.1)
            leave.set()
    assert in_time(entered)
    thread.join(60)


def test_who_waits_in_vain_leaves_and_the_lane_stays_whole(ledger: Ledger) -> None:
    lane, lease, work = Lanes(1), claimed(ledger), Work(urgent=False)
    with lane.entered(Work(urgent=False), patience(ledger, lease)):
        work.cancel()
        with pytest.raises(LeaseLostError), lane.entered(work, patience(ledger, lease, work)):
            pytest.fail("nobody wants this row")
    with lane.entered(Work(urgent=False), patience(ledger, lease)):
        pass


def test_a_job_that_waits_its_turn_does_not_stand_still(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "SIGN_OF_LIFE_SECONDS", 0.02)
    lease = claimed(ledger)
    let_work_stand_still(ledger, 1000)
    assert ledger.stalled(lease.owner, 900) == (lease,)
    looks = iter([False] * 20 + [True])

    def comes(seconds: float) -> bool:
        threading.Event().wait(seconds)
        return next(looks)

    patience(ledger, lease).until(comes)
    assert ledger.stalled(lease.owner, 900) == ()


def test_bulk_rows_are_let_in_as_others_come_out(ledger: Ledger) -> None:
    first, second = claimed(ledger, "flow", name="a"), claimed(ledger, "flow", name="b")
    window = BulkWindow(ledger, "flow", Stage.TRANSCRIPTION, rows=2)
    window.enter(first, patience(ledger, first))
    window.enter(first, patience(ledger, first))
    entered = threading.Event()

    def third() -> None:
        window.enter(second, patience(ledger, second))
        entered.set()

    thread = threading.Thread(target=third)
    thread.start()
    ledger.finish(first, PartId(Stage.DIARIZATION, 0), "key", seconds=1.0)
    assert not entered.wait(0.2)
    ledger.finish(first, PartId(Stage.TRANSCRIPTION, 0), "key", seconds=1.0)
    assert in_time(entered)
    thread.join(60)


def test_jobs_that_are_gone_leave_no_rows_in_the_window(ledger: Ledger) -> None:
    gone, kept = claimed(ledger, "flow", name="a"), claimed(ledger, "flow", name="b")
    window = BulkWindow(ledger, "flow", Stage.SYNTHESIS, rows=1)
    window.enter(gone, patience(ledger, gone))
    ledger.cancel(gone.job_id)
    window.enter(kept, patience(ledger, kept))


def test_another_attempt_of_a_job_is_counted_anew(ledger: Ledger) -> None:
    lease = claimed(ledger, "flow")
    window = BulkWindow(ledger, "flow", Stage.SYNTHESIS, rows=1)
    window.enter(lease, patience(ledger, lease))
    ledger.hand_back(lease)
    claim = ledger.claim("flow")
    assert claim is not None
    window.enter(claim.lease, patience(ledger, claim.lease))
