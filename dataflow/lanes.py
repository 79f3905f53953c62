"""Who goes first within an actor that has more rows in hand than it works on at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, Semaphore
from time import monotonic, sleep

from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Lease, Stage
from dataflow.work import Work

CHECK_SECONDS = 0.5
SIGN_OF_LIFE_SECONDS = 60.0
"""How often a row that waits tells the ledger that its job does not stand still."""


class Patience:
    """Waits for something in the name of a row, as long as the row is wanted."""

    def __init__(self, ledger: Ledger, lease: Lease, work: Work) -> None:
        self._ledger = ledger
        self._lease = lease
        self._work = work
        self._told = monotonic()

    def until(self, comes: Callable[[float], bool]) -> None:
        """Wait.

        Args:
            comes: Waits for so many seconds at most, and tells whether what is waited for has come.

        Raises:
            LeaseLostError: The row is not wanted any more.
        """
        while not comes(CHECK_SECONDS):
            self._work.check()
            if monotonic() - self._told > SIGN_OF_LIFE_SECONDS:
                self._ledger.wait(self._lease)
                self._told = monotonic()


class Lanes:
    """Two lanes, so many rows wide: what somebody waits for never queues behind bulk work."""

    def __init__(self, width: int) -> None:
        self._urgent = Semaphore(width)
        self._bulk = Semaphore(width)

    @contextmanager
    def entered(self, work: Work, patience: Patience) -> Iterator[None]:
        """Work on a row once its lane has room.

        Raises:
            LeaseLostError: The row is not wanted any more.
        """
        lane = self._urgent if work.urgent else self._bulk
        patience.until(lambda seconds: lane.acquire(timeout=seconds))
        try:
            yield
        finally:
            lane.release()


class BulkWindow:
    """Bounds how many rows of bulk jobs are on their way between two stages of the flow.

    Ray hands rows on in the order in which they come and holds any number of them. With so few that the actors can take
    all of them in hand, nothing ever waits outside of an actor's lanes, where order would count.

    Args:
        ledger: Knows which parts are over.
        owner: The flow.
        stage: Rows leave the window when their part of this stage is over.
        rows: The bound.
    """

    def __init__(self, ledger: Ledger, owner: str, stage: Stage, rows: int) -> None:
        self._ledger = ledger
        self._owner = owner
        self._stage = stage
        self._rows = rows
        self._emitted: dict[Lease, int] = {}
        self._turn = Lock()

    def enter(self, lease: Lease, patience: Patience) -> None:
        """Wait until there is room for one more row of a bulk job.

        Raises:
            LeaseLostError: The row is not wanted any more.
        """
        patience.until(lambda seconds: self._turn.acquire(timeout=seconds))
        try:
            patience.until(self._has_room)
            self._emitted[lease] = self._emitted.get(lease, 0) + 1
        finally:
            self._turn.release()

    def _has_room(self, seconds: float) -> bool:
        if sum(self._emitted.values()) < self._rows:
            return True
        over = self._ledger.parts_over(self._owner, self._stage)
        self._emitted = {lease: count for lease, count in self._emitted.items() if lease in over}
        if sum(max(0, count - over[lease]) for lease, count in self._emitted.items()) < self._rows:
            return True
        sleep(seconds)
        return False
