"""Live progress of jobs: the same messages for WebSockets and event streams."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from cluster.errors import RateLimitedError
from cluster.ledger.following import Following
from cluster.ledger.records import Event, EventKind
from cluster.ledger.watching import State, Watching
from cluster.metrics import WATCHERS
from serve_apps.authentication import Caller, still_allowed
from serve_apps.services import Services
from serve_apps.views import job_status

BEAT_SECONDS = 15.0
"""A stream that is silent for so long tells that it is alive: proxies close those that are not."""
CHECK_SECONDS = 60.0
"""How often a long connection's caller is asked for again: keys are revoked."""
RETRY_SECONDS = 10.0

_TIMED = frozenset({EventKind.JOB, EventKind.STAGE})
"""Events that change the time left."""


class Progress:
    """Everybody who watches jobs at this replica.

    Args:
        services: Of the application.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._watching: Watching[str] = Watching(services.ledger, self._render)
        self._following = Following(self._watching, services.ledger, self._state)
        self._connections: Counter[str] = Counter()
        self._transports: Counter[str] = Counter()

    def require_room(self, caller: Caller) -> None:
        """Refuse a caller who has enough connections.

        Raises:
            RateLimitedError: As many as one key may have.
        """
        most = self._services.settings.max_watchers_per_key
        if self._connections[caller.key_id or ""] >= most:
            raise RateLimitedError(f"this key watches {most} jobs already; close some", RETRY_SECONDS)

    @contextmanager
    def connected(self, caller: Caller, transport: str) -> Iterator[None]:
        """Count one more connection of a caller, for as long as the context lasts."""
        name = caller.key_id or ""
        self._connections[name] += 1
        self._count(transport, 1)
        try:
            yield
        finally:
            self._count(transport, -1)
            self._connections[name] -= 1
            if not self._connections[name]:
                del self._connections[name]

    def messages(self, job_id: str, after: int | None) -> AsyncGenerator[tuple[int, str] | None]:
        """What one client is told, each message with the number of its event; None where it is time for a beat.

        Raises:
            DubflowError: `not_found`; `database_failed`.
        """
        return self._following.follow(job_id, after, BEAT_SECONDS)

    async def close(self) -> None:
        """Stop looking for events."""
        await self._watching.close()

    def _count(self, transport: str, change: int) -> None:
        self._transports[transport] += change
        WATCHERS.set(self._transports[transport], transport=transport)

    def _state(self, job_id: str) -> State[str]:
        snapshot = self._services.ledger.snapshot(job_id)
        job = job_status(snapshot, self._services.estimator.outlook(job_id)).model_dump(mode="json")
        return State(
            snapshot.job.seq,
            snapshot.job.status.terminal,
            _to_json({"type": "snapshot", "seq": snapshot.job.seq, "job": job}),
        )

    def _render(self, events: Sequence[Event]) -> list[str]:
        """The latest event carries the time left; who catches up needs no other."""
        messages = [_message(event) for event in events]
        if any(event.kind in _TIMED for event in events):
            outlook = self._services.estimator.outlook(events[-1].job_id)
            messages[-1]["estimated_completion"] = _time(outlook.completion)
        return [_to_json(message) for message in messages]


@asynccontextmanager
async def open_progress(services: Services) -> AsyncIterator[Progress]:
    """The progress of an application, for as long as that runs."""
    progress = Progress(services)
    try:
        yield progress
    finally:
        await progress.close()


async def until_refused(connection: HTTPConnection, caller: Caller) -> None:
    """Return when a caller who was let in would not be let in again."""
    while await still_allowed(connection, caller):  # noqa: ASYNC110 - other processes revoke keys
        await asyncio.sleep(CHECK_SECONDS)


def progress_of(connection: HTTPConnection) -> Progress:
    """The progress of the application that a request or WebSocket came to."""
    found: Progress = connection.app.state.progress
    return found


ProgressDep = Annotated[Progress, Depends(progress_of)]


def _message(event: Event) -> dict[str, Any]:
    return {"type": "event", "seq": event.seq, "at": _time(event.at), "kind": event.kind, "data": event.data}


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _to_json(message: dict[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":"))
