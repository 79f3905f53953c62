"""Putting a job at rest back into the queue, and who may."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.clock import Now
from cluster.ledger.records import JobStatus, StageStatus
from cluster.ledger.tables import edits, outputs, parts, processing_stages, tenants
from cluster.ledger.transition import Transition

Admission = Callable[[Connection], None]
"""Raises where a tenant may not have one job more in the queue; its row is locked meanwhile."""


_OPEN = tuple(status.value for status in StageStatus if not status.terminal)


def queue(transition: Transition, **columns: Any) -> None:
    """Queue the job, behind those that wait, with all its attempts and the newest edits.

    The edits stay the same for all attempts. Otherwise what one attempt has joined already could go on in the next,
    before the lines that were edited in between are spoken.
    """
    newest = (
        select(func.coalesce(func.max(edits.c.revision), 0))
        .where(edits.c.job_id == outputs.c.job_id, edits.c.language == outputs.c.language)
        .scalar_subquery()
    )
    made = update(outputs).where(outputs.c.job_id == transition.job_id, outputs.c.status.in_(_OPEN))
    transition.connection.execute(made.values(revision=newest))
    transition.move(JobStatus.UPLOADED, attempt=0, dead_letter=False, queued_at=Now(), not_before=0.0, **columns)


def admit(transition: Transition, admission: Admission | None) -> None:
    """Ask whether a job that has left the queue may come back."""
    if admission is not None:
        ask(transition.connection, transition["tenant"], admission)


def ask(connection: Connection, tenant: str, admission: Admission) -> None:
    """Ask whether a tenant may have one job more."""
    # Whoever asks for the same tenant waits here, so that what one counts is still true when it queues its job.
    connection.execute(select(tenants.c.id).where(tenants.c.id == tenant).with_for_update())
    admission(connection)


def forget_parts(transition: Transition) -> None:
    """Let the job start over; artefacts that exist are found again all the same."""
    for table in (parts, processing_stages):
        transition.connection.execute(delete(table).where(table.c.job_id == transition.job_id))


def require_terminal(transition: Transition, what: str) -> None:
    """Refuse what can only be done to a job that has ended.

    Raises:
        DubflowError: `conflict`.
    """
    if transition.status is JobStatus.AWAITING_REVIEW:
        raise DubflowError(
            ErrorCode.CONFLICT, f"job {transition.job_id} waits for a review; re-dub it to go on, or cancel it"
        )
    require_idle(transition, what)


def require_idle(transition: Transition, what: str) -> None:
    """Refuse what can only be done to a job that no worker has or waits for.

    Raises:
        DubflowError: `conflict`.
    """
    if not transition.status.idle:
        raise DubflowError(
            ErrorCode.CONFLICT, f"job {transition.job_id} is {transition.status}; it can be {what} once it has ended"
        )
