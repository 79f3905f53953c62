"""What costs money: how many jobs a tenant has at a time, and how many minutes of media in a day."""

from sqlalchemy import Connection, func, select

from cluster.accounts.records import Limits
from cluster.accounts.usage import seconds_to_next_day, used_media_seconds
from cluster.errors import RateLimitedError
from cluster.ledger.queue import Admission
from cluster.ledger.records import JobStatus
from cluster.ledger.tables import jobs

_ACTIVE = (JobStatus.UPLOADED.value, JobStatus.PROCESSING.value)
_RETRY_SECONDS = 30.0
_MINUTE = 60.0


def admission(tenant: str, limits: Limits) -> Admission:
    """What `Ledger.submit` asks before it queues a job; the tenant's row is locked then, so the limits hold exactly.

    The minutes of a job are known once its source is decoded: a job that is admitted may overdraw the day.
    """

    def admit(connection: Connection) -> None:
        if limits.concurrent_jobs:
            _require_room(connection, tenant, limits.concurrent_jobs)
        if limits.media_minutes_per_day:
            _require_minutes(connection, tenant, limits.media_minutes_per_day)

    return admit


def _require_room(connection: Connection, tenant: str, most: int) -> None:
    active = select(func.count()).where(jobs.c.tenant == tenant, jobs.c.status.in_(_ACTIVE))
    if (connection.scalar(active) or 0) >= most:
        raise RateLimitedError(f"{most} jobs wait or run already; wait for one of them to end", _RETRY_SECONDS)


def _require_minutes(connection: Connection, tenant: str, most: float) -> None:
    if used_media_seconds(connection, tenant) >= most * _MINUTE:
        raise RateLimitedError(
            f"today's {most:g} minutes of media are used up; the next day is UTC's", seconds_to_next_day(connection)
        )
