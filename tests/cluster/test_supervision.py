"""Supervisors over a real ledger, with a flow that is a record of what was done to it."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from sqlalchemy import update

from cluster import supervision
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.clock import Now
from cluster.ledger.ledger import Ledger
from cluster.ledger.tables import flows
from cluster.owner import Owner, this_process
from cluster.settings import Settings
from cluster.supervision import Supervisor
from tests.fixtures.ledgers import claimed


@dataclass
class RecordedFlow:
    """Comes up at once when it is started, unless told to be slow; says in the ledger what a real one would."""

    ledger: Ledger
    configuration: str = "now"
    comes_up: bool = True
    alive: bool = False
    done: list[str] = field(default_factory=list)
    owner: str = ""

    def exists(self) -> bool:
        return self.alive

    def start(self) -> None:
        self.done.append("start")
        self.alive = True
        self.owner = str(this_process(len(self.done)))
        if self.comes_up:
            self.ledger.flow_started(self.owner, "main", self.configuration)

    def kill(self) -> None:
        self.done.append("kill")
        self.alive = False
        self.ledger.flow_ended(self.owner)

    def end(self) -> None:
        """What it does once it is drained."""
        self.alive = False
        self.ledger.flow_ended(self.owner)

    def was(self, **moments: float) -> None:
        """Move moments so many seconds into the past, or set what else the ledger knows of it."""
        values = {name: Now() - value if name.endswith("_at") else value for name, value in moments.items()}
        self.ledger._database.write(lambda connection: connection.execute(update(flows).values(values)))


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(supervision, "monotonic", clock)
    return clock


@pytest.fixture
def ledger(sqlite_url: str) -> Iterator[Ledger]:
    opened = Ledger(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def flow(ledger: Ledger) -> RecordedFlow:
    return RecordedFlow(ledger)


@pytest.fixture
def supervisor(ledger: Ledger, flow: RecordedFlow, clock: Clock) -> Supervisor:
    return Supervisor(Settings(), ledger, flow, "now")


def dead_process() -> str:
    mine = Owner.parse(str(this_process()))
    assert mine is not None
    return str(Owner(mine.host, mine.boot, mine.space, mine.pid, mine.started - 1000))


def test_a_flow_is_started_once_and_then_left_alone(supervisor: Supervisor, flow: RecordedFlow, clock: Clock) -> None:
    for _ in range(5):
        supervisor.look()
        clock.now += 100
    assert flow.done == ["start"]


def test_a_flow_that_dies_comes_back_and_its_jobs_are_free_at_once(
    supervisor: Supervisor, flow: RecordedFlow, ledger: Ledger, clock: Clock
) -> None:
    supervisor.look()
    dead = dead_process()
    ledger.flow_ended(flow.owner)
    ledger.flow_started(dead, "main", "now")
    lease = claimed(ledger, dead)
    flow.alive = False
    clock.now += 1000
    supervisor.look()
    assert flow.done == ["start", "start"]
    assert [known.owner for known in ledger.flows("main")] == [flow.owner]
    claim = ledger.claim("other")
    assert claim is not None
    assert claim.lease.job_id == lease.job_id


def test_one_that_dies_again_and_again_is_started_less_and_less_often(
    supervisor: Supervisor, flow: RecordedFlow, clock: Clock
) -> None:
    starts = []
    for _ in range(600):
        supervisor.look()
        if flow.alive:
            starts.append(clock.now)
            flow.end()
        clock.now += 1
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert pauses == sorted(pauses)
    assert pauses[0] <= 3
    assert 60 <= pauses[-1] <= 63


def test_one_that_falls_silent_is_ended_but_not_one_that_could_not_be_heard(
    supervisor: Supervisor, flow: RecordedFlow, clock: Clock
) -> None:
    supervisor.look()
    flow.was(started_at=200, beat_at=50)
    clock.now += 100
    supervisor.look()
    assert flow.done == ["start"]
    flow.was(beat_at=70)
    supervisor._watched_since = clock.now - 10  # the database has only just come back
    supervisor.look()
    assert flow.done == ["start"]
    clock.now += 60
    supervisor.look()
    assert flow.done == ["start", "kill"]


def test_one_that_has_not_been_heard_yet_is_given_time_to_bring_up_its_actors(
    supervisor: Supervisor, flow: RecordedFlow, clock: Clock
) -> None:
    supervisor.look()
    clock.now += 1000
    flow.was(started_at=supervision.START_SECONDS - 10, beat_at=supervision.START_SECONDS - 10)
    supervisor.look()
    assert flow.done == ["start"]
    flow.was(started_at=supervision.START_SECONDS + 10, beat_at=supervision.START_SECONDS + 10)
    supervisor.look()
    assert flow.done == ["start", "kill"]


def test_one_that_does_not_come_up_is_ended(supervisor: Supervisor, flow: RecordedFlow, clock: Clock) -> None:
    flow.comes_up = False
    supervisor.look()
    clock.now += supervision.START_SECONDS - 1
    supervisor.look()
    assert flow.done == ["start"]
    clock.now += 2
    supervisor.look()
    assert flow.done == ["start", "kill"]


def test_another_configuration_drains_the_flow_and_starts_the_next(
    supervisor: Supervisor, flow: RecordedFlow, ledger: Ledger, clock: Clock
) -> None:
    flow.configuration = "before"
    supervisor.look()
    claimed(ledger, flow.owner)
    clock.now += 1
    supervisor.look()
    supervisor.look()
    assert ledger.draining(flow.owner)
    assert flow.done == ["start"]
    flow.end()
    flow.configuration = "now"
    supervisor.look()
    assert flow.done == ["start", "start"]
    assert not ledger.draining(flow.owner)


def test_a_drain_has_an_end(supervisor: Supervisor, flow: RecordedFlow, ledger: Ledger, clock: Clock) -> None:
    supervisor.look()
    ledger.drain(flow.owner)
    flow.was(drained_at=200)
    supervisor.look()
    assert flow.done == ["start"]
    flow.was(drained_at=301)
    supervisor.look()
    assert flow.done == ["start", "kill"]


@pytest.mark.parametrize("worn", [{"started_at": 25 * 3600.0}, {"grown_bytes": 3 * 1024**3}])
def test_a_worn_flow_is_replaced_when_it_holds_no_job(
    supervisor: Supervisor, flow: RecordedFlow, ledger: Ledger, worn: dict[str, float]
) -> None:
    supervisor.look()
    lease = claimed(ledger, flow.owner)
    flow.was(**worn)
    supervisor.look()
    assert not ledger.draining(flow.owner)
    ledger.cancel(lease.job_id)
    supervisor.look()
    assert ledger.draining(flow.owner)


def test_a_flow_that_is_never_idle_is_replaced_all_the_same(
    supervisor: Supervisor, flow: RecordedFlow, ledger: Ledger
) -> None:
    supervisor.look()
    claimed(ledger, flow.owner)
    flow.was(started_at=49 * 3600.0)
    supervisor.look()
    assert ledger.draining(flow.owner)


def test_of_two_supervisors_one_acts_until_it_falls_silent(ledger: Ledger, clock: Clock) -> None:
    flows_of = [RecordedFlow(ledger), RecordedFlow(ledger)]
    first, second = (Supervisor(Settings(), ledger, flow, "now") for flow in flows_of)
    second._me = "another process"
    for _ in range(3):
        first.look()
        second.look()
        clock.now += 1
    assert [flow.done for flow in flows_of] == [["start"], []]
    ledger.leave_duty("supervise:main", first._me)
    second.look()
    assert flows_of[1].done == ["start"]


def test_cells_do_not_meet(ledger: Ledger, clock: Clock) -> None:
    flows_of = [RecordedFlow(ledger), RecordedFlow(ledger)]
    first, second = (
        Supervisor(Settings(cell=cell), ledger, flow, "now") for cell, flow in zip("ab", flows_of, strict=True)
    )
    second._me = "another process"
    first.look()
    second.look()
    assert [flow.done for flow in flows_of] == [["start"], ["start"]]


def test_a_ledger_that_is_away_ends_neither_the_supervisor_nor_the_flow(
    ledger: Ledger, flow: RecordedFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "ROUND_SECONDS", 0.01)
    away = threading.Event()
    asked = threading.Semaphore(0)
    flows_known = ledger.flows

    def unreliable(cell: str) -> object:
        asked.release()
        if away.is_set():
            raise DubflowError(ErrorCode.DATABASE_FAILED, "the database does not answer")
        return flows_known(cell)

    monkeypatch.setattr(ledger, "flows", unreliable)
    stop = threading.Event()
    thread = threading.Thread(target=Supervisor(Settings(), ledger, flow, "now").run, args=(stop,))
    thread.start()
    assert asked.acquire(timeout=60)
    away.set()
    assert all(asked.acquire(timeout=60) for _ in range(3))
    flow.was(beat_at=1000)
    away.clear()
    assert all(asked.acquire(timeout=60) for _ in range(3))
    stop.set()
    thread.join(60)
    assert flow.done == ["start"]
    assert ledger.take_duty("supervise:main", "the next", 60)
