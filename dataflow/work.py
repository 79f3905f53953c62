"""The work on rows in hand: what nobody wants any more ends in the middle, what somebody waits for goes first."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread, local

import structlog

from cluster.errors import DubflowError, LeaseLostError
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Lease

log = structlog.get_logger()

WATCH_SECONDS = 2.0
"""How often a process that has rows in hand asks whether their leases stand."""


class Work:
    """The work under one lease: whether it is still wanted, and how to end what of it is under way.

    Args:
        urgent: Somebody waits for it.
    """

    def __init__(self, *, urgent: bool = True) -> None:
        self.urgent = urgent
        self._lock = Lock()
        self._stops: list[Callable[[], None]] = []
        self._cancelled = False

    def cancel(self) -> None:
        """End what is under way, in whatever threads; more is not begun."""
        with self._lock:
            self._cancelled = True
            for stop in self._stops:
                stop()

    def check(self) -> None:
        """Tell whether to go on.

        Raises:
            LeaseLostError: The work is no longer wanted.
        """
        if self._cancelled:
            raise LeaseLostError("this job is not wanted any more")

    @contextmanager
    def ending(self, stop: Callable[[], None]) -> Iterator[None]:
        """Do something long that `stop` ends from another thread; it must be quick, and harmless at the very end.

        Raises:
            LeaseLostError: The work is not wanted any more, and `stop` was not needed.
        """
        with self._lock:
            self.check()
            self._stops.append(stop)
        try:
            yield
        finally:
            with self._lock:
                self._stops.remove(stop)


_thread = local()


def current() -> Work:
    """The work on the row that this thread has in hand; some that is never cancelled where it has none."""
    found: Work | None = getattr(_thread, "work", None)
    return found or Work()


class LeaseWatch:
    """Ends the work on rows of this process whose leases have gone."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = Lock()
        self._rows: Counter[Lease] = Counter()
        self._works: dict[Lease, Work] = {}
        self._busy = Event()
        Thread(target=self._watch, daemon=True, name="leases").start()

    @contextmanager
    def holding(self, lease: Lease, *, urgent: bool) -> Iterator[Work]:
        """Work on a row in this thread."""
        with self._lock:
            self._rows[lease] += 1
            work = _thread.work = self._works.setdefault(lease, Work(urgent=urgent))
            self._busy.set()
        try:
            yield work
        finally:
            _thread.work = None
            self._let_go(lease)

    def _let_go(self, lease: Lease) -> None:
        with self._lock:
            self._rows[lease] -= 1
            if not self._rows[lease]:
                del self._rows[lease], self._works[lease]
            if not self._rows:
                self._busy.clear()

    def _watch(self) -> None:
        pause = Event()
        while self._busy.wait():
            pause.wait(WATCH_SECONDS)
            try:
                self._cancel_what_is_lost()
            except DubflowError as error:
                log.warning("leases cannot be checked", error=error.message)

    def _cancel_what_is_lost(self) -> None:
        with self._lock:
            held = dict(self._works)
        if not held:
            return
        for lease in held.keys() - self._ledger.standing(held):
            held[lease].cancel()
