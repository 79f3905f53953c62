"""What one client is told of a job: its state, then every later event, once and in order, up to the job's end."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Generic

from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Event, EventKind, JobStatus
from cluster.ledger.watching import Message, State, Watching

MAX_MISSED = 1000
"""A client that comes back and has missed more events than this gets the state instead of them."""


class Following(Generic[Message]):
    """Follows jobs for the clients of one process.

    Args:
        watching: Brings the events.
        ledger: Where jobs are.
        read: Reads the state of a job by its id; runs in a thread.
    """

    def __init__(self, watching: Watching[Message], ledger: Ledger, read: Callable[[str], State[Message]]) -> None:
        self._watching = watching
        self._ledger = ledger
        self._read = read

    async def follow(
        self, job_id: str, after: int | None = None, beat: float | None = None
    ) -> AsyncGenerator[tuple[int, Message] | None]:
        """Give a client all it has to know, each message with the number of its event.

        The state comes first, or, for a client that was here before, the events it has missed. A client that is too
        slow for the events gets the state again. Ends after the event that ends the job.

        Args:
            job_id: Which job.
            after: The last event that the client knows, if any.
            beat: Give None whenever there was nothing to tell for so many seconds.

        Raises:
            DubflowError: `not_found`, at once or when the job is deleted; `database_failed`.
        """
        job = await asyncio.to_thread(self._ledger.job, job_id)
        with self._watching.watch(job_id, job.seq) as (watcher, watched):
            known = after is not None and 0 <= after <= job.seq <= after + MAX_MISSED
            seq, over = (after or 0, job.status.terminal) if known else (-1, False)
            news = await self._watching.missed(job_id, seq) if known else None
            while True:
                if news is None:
                    state = await watched.state(self._read)
                    seq, over = state.seq, state.over
                    yield seq, state.message
                for told in news or ():
                    if told.event.seq > seq:
                        seq, over = told.event.seq, ends(told.event)
                        yield seq, told.message
                if over:
                    return
                try:
                    news = await watcher.take(beat)
                except TimeoutError:
                    news = []
                    yield None


def ends(event: Event) -> bool:
    """True for an event after which nothing happens unless somebody asks for it."""
    return event.kind == EventKind.JOB and JobStatus(event.data["status"]).terminal
