"""How one process follows the jobs that its clients watch, however many clients there are.

One task serves them all. It learns that something happened from PostgreSQL's notifications, or by looking every now and
then; it reads the new events of all watched jobs in one query, and hands each to everybody who watches its job. A
notification is only ever a reason to look: what is read goes by each job's `seq`, so one that is lost while a server
restarts costs a delay and no event.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog
from psycopg import AsyncConnection
from psycopg import Error as PostgresError

from cluster.errors import DubflowError
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Event
from cluster.ledger.transition import CHANNEL, not_found

log = structlog.get_logger()

Message = TypeVar("Message")
Render = Callable[[Sequence[Event]], Sequence[Message]]

POLL_SECONDS = 0.5
"""How often SQLite is looked at; it cannot tell anybody anything."""
SWEEP_SECONDS = 15.0
"""How often PostgreSQL is looked at all the same, since a connection pooler may swallow notifications, and how often
either database is asked for jobs that were deleted."""
GATHER_SECONDS = 0.05
"""Notifications that come so close together share one read."""
RECONNECT_SECONDS = 1.0
STATE_SECONDS = 1.0
"""For so long a state that was read for one client is good for others, unless something happens to the job."""
MAX_WAITING = 128
"""Messages that wait for one slow client; one that is further behind starts again with a snapshot."""


@dataclass(frozen=True, slots=True)
class Told(Generic[Message]):
    """An event, and how it is told: rendered once, whatever the number of those who are told."""

    event: Event
    message: Message


def told(events: Sequence[Event], render: Render[Message]) -> list[Told[Message]]:
    """Events of one job with how they are told."""
    return [Told(event, message) for event, message in zip(events, render(events), strict=True)]


class Watcher(Generic[Message]):
    """What one client has not been told yet."""

    def __init__(self) -> None:
        self._waiting: list[Told[Message]] = []
        self._changed = asyncio.Event()
        self._behind = False
        self._gone: DubflowError | None = None

    def tell(self, news: list[Told[Message]]) -> None:
        """Add news; somebody who does not come to take them loses all of them together."""
        if self._behind:
            return
        self._waiting += news
        if len(self._waiting) > MAX_WAITING:
            self._waiting.clear()
            self._behind = True
        self._changed.set()

    def dismiss(self, reason: DubflowError) -> None:
        """Let the client know that nothing will ever come."""
        self._gone = reason
        self._changed.set()

    async def take(self, patience: float | None = None) -> list[Told[Message]] | None:
        """Wait for news; None where some were lost, and the state as a whole has to be read again.

        Raises:
            TimeoutError: Nothing happened for so many seconds.
            DubflowError: `not_found`, where the job has been deleted meanwhile.
        """
        async with asyncio.timeout(patience):
            await self._changed.wait()
        self._changed.clear()
        if self._gone is not None:
            raise self._gone
        if self._behind:
            self._behind = False
            return None
        news, self._waiting = self._waiting, []
        return news


@dataclass(frozen=True, slots=True)
class State(Generic[Message]):
    """A job as a whole.

    Attributes:
        seq: Of the last event that it includes.
        over: Nothing follows unless somebody asks for it.
        message: How clients are told.
    """

    seq: int
    over: bool
    message: Message


class Watched(Generic[Message]):
    """A job that somebody watches.

    Attributes:
        seq: Of the last event that its watchers were told.
    """

    def __init__(self, job_id: str, seq: int) -> None:
        self.seq = seq
        self.watchers: set[Watcher[Message]] = set()
        self._job_id = job_id
        self._reading = asyncio.Lock()
        self._state: State[Message] | None = None
        self._state_until = 0.0

    async def state(self, read: Callable[[str], State[Message]]) -> State[Message]:
        """The job's state, read in a thread; watchers that come together share it.

        A state that was read earlier will do as long as it includes all that the watchers have been told: what comes
        after that, everybody hears of who watches by now.
        """
        clock = asyncio.get_running_loop().time
        async with self._reading:
            if self._state is None or self._state.seq < self.seq or clock() > self._state_until:
                self._state = await asyncio.to_thread(read, self._job_id)
                self._state_until = clock() + STATE_SECONDS
            return self._state


class Watching(Generic[Message]):
    """All watchers of one process; belongs to one event loop.

    Args:
        ledger: Where the events are.
        render: Makes of new events of one job what is sent to clients; runs in a thread, and may read the ledger.
    """

    def __init__(self, ledger: Ledger, render: Render[Message]) -> None:
        self._ledger = ledger
        self._render = render
        self._watched: dict[str, Watched[Message]] = {}
        self._changed: set[str] = set()
        self._look = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self.reads = 0

    @property
    def watchers(self) -> int:
        """How many there are."""
        return sum(len(watched.watchers) for watched in self._watched.values())

    @contextmanager
    def watch(self, job_id: str, seq: int) -> Iterator[tuple[Watcher[Message], Watched[Message]]]:
        """Watch a job for as long as the context lasts.

        Args:
            job_id: An existing job.
            seq: Its latest event when it was last read. Whoever reads the job's state from here on, up to some event,
                is told of every event after that one.
        """
        watcher: Watcher[Message] = Watcher()
        watched = self._watched.setdefault(job_id, Watched(job_id, seq))
        watched.watchers.add(watcher)
        self._ensure_working()
        try:
            yield watcher, watched
        finally:
            watched.watchers.discard(watcher)
            if not watched.watchers and self._watched.get(job_id) is watched:
                del self._watched[job_id]

    async def missed(self, job_id: str, after: int) -> list[Told[Message]]:
        """All events of a job above a number, now."""
        self.reads += 1
        return (await asyncio.to_thread(self._read, {job_id: after})).get(job_id, [])

    async def close(self) -> None:
        """Stop looking; watchers hear nothing more."""
        if self._working is not None:
            self._working.cancel()
            with suppress(asyncio.CancelledError):
                await self._working
            self._working = None

    def _ensure_working(self) -> None:
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._watched:  # asked again at the end: somebody may have come while the listening ended
            async with self._notified() as period:
                await self._tell_news_for_ever(period)

    async def _tell_news_for_ever(self, period: float) -> None:
        """Tell news until nobody is left to be told."""
        clock = asyncio.get_running_loop().time
        sweep_at, census_at = 0.0, clock() + SWEEP_SECONDS
        while self._watched:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), max(0.0, sweep_at - clock()))
                await asyncio.sleep(GATHER_SECONDS)
            self._look.clear()
            changed, self._changed = self._changed, set()
            if clock() >= sweep_at:
                changed, sweep_at = set(self._watched), clock() + period
            try:
                await self._tell_news(changed)
                if clock() >= census_at:
                    census_at = clock() + SWEEP_SECONDS
                    await self._dismiss_from_deleted()
            except DubflowError as error:
                log.warning("events cannot be read", error=error.message)
                sweep_at = clock() + RECONNECT_SECONDS

    async def _tell_news(self, job_ids: set[str]) -> None:
        after = {job_id: self._watched[job_id].seq for job_id in job_ids if job_id in self._watched}
        if after:
            self.reads += 1
            for job_id, news in (await asyncio.to_thread(self._read, after)).items():
                self._tell(job_id, news)

    async def _dismiss_from_deleted(self) -> None:
        """A job may be deleted before its last event was read; its watchers would wait for ever."""
        asked = list(self._watched)
        existing = await asyncio.to_thread(self._ledger.existing, asked)
        for job_id in asked:
            if job_id not in existing and (watched := self._watched.get(job_id)) is not None:
                for watcher in watched.watchers:
                    watcher.dismiss(not_found(job_id))

    def _read(self, after: Mapping[str, int]) -> "dict[str, list[Told[Message]]]":
        return {job_id: told(events, self._render) for job_id, events in self._ledger.news(after).items()}

    def _tell(self, job_id: str, news: "list[Told[Message]]") -> None:
        watched = self._watched.get(job_id)
        if watched is None:
            return  # nobody watches it any more
        news = [one for one in news if one.event.seq > watched.seq]
        if news:
            watched.seq = news[-1].event.seq
            for watcher in watched.watchers:
                watcher.tell(news)

    @asynccontextmanager
    async def _notified(self) -> AsyncIterator[float]:
        """Listen where that is possible; gives how often to look in any case, in seconds."""
        if not self._ledger.shared:
            yield POLL_SECONDS
            return
        listening = asyncio.create_task(self._listen())
        try:
            yield SWEEP_SECONDS
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once(self._ledger.connection_arguments)
            except (PostgresError, OSError) as error:
                log.warning("notifications are interrupted", error=str(error))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self, arguments: dict[str, Any]) -> None:
        connection = await AsyncConnection.connect(**arguments, autocommit=True)
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}".encode())
            self._changed.update(self._watched)  # whatever happened before this connection listened
            self._look.set()
            async for notification in connection.notifies():
                if notification.payload in self._watched:
                    self._changed.add(notification.payload)
                    self._look.set()
