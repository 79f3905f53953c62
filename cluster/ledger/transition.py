"""A change of one job: its row is locked first, its events are numbered last, all in one transaction.

Lock order, the same everywhere: the job's row, then its lease; a transaction locks one job only (claims lock the
tenant after it). The job's row therefore serialises whatever happens to the job: claims, cancels, writes of workers.
The one exception, `heartbeat`, renews leases without the job's lock and decides nothing.
"""

import json
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from cluster.errors import DubflowError, ErrorCode, LeaseLostError
from cluster.keys import digest
from cluster.ledger.clock import Now
from cluster.ledger.database import insert_if_absent
from cluster.ledger.records import EventKind, Failure, JobStatus, Lease
from cluster.ledger.rows import failure_columns, failure_data, to_json
from cluster.ledger.tables import deliveries, events, jobs, leases

CHANNEL = "dubflow_events"
"""Where PostgreSQL's notifications go; each carries the id of a job that has new events."""


class Transition:
    """A locked job and what this transaction changes about it.

    `transition["column"]` is the value with the changes made so far. Nothing of the job's own row is written before
    `save`.
    """

    def __init__(self, connection: Connection, job: RowMapping) -> None:
        self.connection = connection
        self.job_id: str = job["id"]
        self._job = dict(job)
        self._changes: dict[str, Any] = {}
        self._events: list[dict[str, Any]] = []
        self._deliveries: list[dict[str, Any]] = []

    def __getitem__(self, column: str) -> Any:
        return self._changes[column] if column in self._changes else self._job[column]

    @property
    def status(self) -> JobStatus:
        """The job's status with the changes made so far."""
        return JobStatus(self["status"])

    @property
    def languages(self) -> tuple[str, ...]:
        """The job's target languages with the changes made so far."""
        return tuple(json.loads(self["target_languages"]))

    def set(self, **columns: Any) -> None:
        """Change columns of the job's row."""
        self._changes.update(columns)

    def move(self, status: JobStatus, failure: Failure | None = None, **columns: Any) -> None:
        """Change the job's status, with the failure that explains it, and tell the watchers and the webhook."""
        self.set(status=status.value, **failure_columns(failure), **columns)
        self.record(
            EventKind.JOB,
            status=status.value,
            attempt=self["attempt"],
            progress=self["progress"],
            failure=failure_data(failure),
        )
        if self["webhook_url"] and (status.terminal or status is JobStatus.AWAITING_REVIEW):
            self._deliveries.append(self._delivery(status))

    def record(self, kind: EventKind, **data: Any) -> None:
        """Append an event."""
        seq = self["seq"] + 1
        self.set(seq=seq)
        self._events.append({"job_id": self.job_id, "seq": seq, "kind": kind.value, "data": to_json(data)})

    def save(self) -> None:
        """Write the job's row and the events."""
        if self._changes:
            changed = update(jobs).where(jobs.c.id == self.job_id)
            self.connection.execute(changed.values(**self._changes, updated_at=Now()))
        if self._events:
            self.connection.execute(insert(events).values(at=Now()), self._events)
            announce(self.connection, self.job_id)
        for delivery in self._deliveries:
            insert_if_absent(self.connection, deliveries, {**delivery, "next_at": Now(), "created_at": Now()})

    def _delivery(self, status: JobStatus) -> dict[str, Any]:
        # Receivers are told what happened and ask for the rest with a key of their own: nothing of the content leaves.
        return {
            "id": digest("delivery", self.job_id, self["seq"]),
            "job_id": self.job_id,
            "tenant": self["tenant"],
            "url": self["webhook_url"],
            "body": to_json({"type": f"job.{status.value}", "data": {"job_id": self.job_id, "status": status.value}}),
            "status": "waiting",
            "attempts": 0,
        }


def announce(connection: Connection, job_id: str) -> None:
    """Wake those that wait for events of a job, once this transaction is committed.

    SQLite cannot tell other processes anything; there they have to look.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, job_id)))


def find_and_lock(connection: Connection, job_id: str) -> Transition | None:
    """Lock a job for this transaction; None if there is no such job."""
    row = connection.execute(select(jobs).where(jobs.c.id == job_id).with_for_update()).mappings().one_or_none()
    return None if row is None else Transition(connection, row)


def lock_job(connection: Connection, job_id: str) -> Transition:
    """Lock a job for this transaction.

    Raises:
        DubflowError: `not_found`.
    """
    transition = find_and_lock(connection, job_id)
    if transition is None:
        raise not_found(job_id)
    return transition


def lock_leased(connection: Connection, lease: Lease) -> Transition:
    """Lock a job on behalf of its worker.

    Raises:
        LeaseLostError: The lease is gone, or the job itself is.
    """
    transition = find_and_lock(connection, lease.job_id)
    if transition is None or not holds(connection, lease):
        raise LeaseLostError
    return transition


def holds(connection: Connection, lease: Lease) -> bool:
    """Tell whether the lease stands; whoever writes because of the answer has locked the job's row.

    A separate statement, on purpose: PostgreSQL's READ COMMITTED shows a statement that waited for the job's row the
    newest version of that row, but of a joined lease only the one from before the wait.
    """
    found = select(leases.c.fence).where(
        leases.c.job_id == lease.job_id, leases.c.owner == lease.owner, leases.c.fence == lease.fence
    )
    return connection.execute(found).one_or_none() is not None


def not_found(job_id: str) -> DubflowError:
    """The one answer for ids that do not exist."""
    return DubflowError(ErrorCode.NOT_FOUND, f"there is no job {job_id}")
