"""Which job is next, and who gets it."""

from collections.abc import Iterator
from itertools import takewhile

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, exists, false, func, insert, select, update

from cluster.ledger.clock import Now
from cluster.ledger.leases import Leases
from cluster.ledger.outputs import add_outputs
from cluster.ledger.part_sets import reopen_for_retries
from cluster.ledger.progress import advance
from cluster.ledger.records import Claim, JobStatus, Lease, Priority
from cluster.ledger.rows import job_of
from cluster.ledger.tables import jobs, leases, tenants, waiting
from cluster.ledger.transition import Transition, holds

_TENANTS_TRIED = 16


class Claims(Leases):
    """The queue: one winner a job, whatever number of processes asks."""

    def claim(self, owner: str, batch: str | None = None, at_least: Priority = Priority.BULK) -> Claim | None:
        """Take the next job: highest priority, then the tenant that has waited longest for its turn, then the oldest.

        Leases that have run out are taken back first, of any batch. An empty queue costs one read.

        Args:
            owner: Who takes it.
            batch: Only of this batch.
            at_least: Only of this priority or a higher one.

        Returns:
            The job with its lease, or None where nothing waits (or all that waits is being taken by others right now).
        """
        taken: Lease | None = None

        def take(connection: Connection) -> Claim | None:
            # Run again after a lost answer, this finds its own lease instead of leaving a job that nobody works on to
            # an owner that goes on beating.
            nonlocal taken
            if taken is None or not holds(connection, taken):
                row = _next(connection, batch, at_least)
                if row is None:
                    return None
                taken = _take(Transition(connection, row), owner, self.lease_seconds)
            return Claim(taken, job_of(_read(connection, taken.job_id)))

        if not self._database.read(lambda connection: _anything(connection, batch, at_least)):
            return None
        self.reclaim()
        return self._database.write(take)


def _anything(connection: Connection, batch: str | None, at_least: Priority) -> bool:
    # Asked for the first in an index, and not just for any, PostgreSQL does not come to read the whole table.
    waits = func.coalesce(_highest(batch).scalar_subquery() >= at_least.value, false())
    return bool(connection.scalar(select(waits | exists().where(leases.c.expires_at < Now()))))


def _ready(batch: str | None) -> ColumnElement[bool]:
    ready = waiting & (jobs.c.not_before <= Now())
    return ready if batch is None else ready & (jobs.c.batch == batch)


def _next(connection: Connection, batch: str | None, at_least: Priority) -> RowMapping | None:
    for priority in takewhile(lambda priority: priority >= at_least, _priorities(connection, batch)):
        for tenant in _tenants(connection, batch, priority):
            oldest = (
                select(jobs)
                .where(_ready(batch), jobs.c.priority == priority, jobs.c.tenant == tenant)
                .order_by(jobs.c.queued_at, jobs.c.number)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            if (row := connection.execute(oldest).mappings().one_or_none()) is not None:
                return row
    return None


def _priorities(connection: Connection, batch: str | None) -> Iterator[int]:
    """Priorities of what waits, highest first, one index look-up each."""
    highest = _highest(batch)
    priority = connection.scalar(highest)
    while priority is not None:
        yield priority
        priority = connection.scalar(highest.where(jobs.c.priority < priority))


def _highest(batch: str | None) -> Select[int]:
    return select(jobs.c.priority).where(_ready(batch)).order_by(jobs.c.priority.desc()).limit(1)


def _tenants(connection: Connection, batch: str | None, priority: int) -> Iterator[str]:
    """Tenants with such jobs, the one served longest ago first; those never served by their oldest job.

    More than one is only needed where others hold all jobs of the first at this moment.
    """
    waits = select(jobs.c.queued_at).where(_ready(batch), jobs.c.priority == priority, jobs.c.tenant == tenants.c.id)
    oldest = waits.order_by(jobs.c.queued_at).limit(1).scalar_subquery()
    ordered = select(tenants.c.id).where(oldest.is_not(None)).order_by(tenants.c.turn, oldest).limit(_TENANTS_TRIED)
    yield from connection.scalars(ordered).all()


def _take(transition: Transition, owner: str, lease_seconds: float) -> Lease:
    lease = Lease(transition.job_id, owner, transition["fence"] + 1)
    transition.set(fence=lease.fence, attempt=transition["attempt"] + 1, worked_at=Now())
    transition.connection.execute(
        insert(leases).values(job_id=lease.job_id, owner=owner, fence=lease.fence, expires_at=Now() + lease_seconds)
    )
    add_outputs(transition, transition.languages)
    reopen_for_retries(transition)
    advance(transition, restart=True)
    transition.move(JobStatus.PROCESSING)
    transition.save()
    latest = select(func.max(tenants.c.turn) + 1).scalar_subquery()
    transition.connection.execute(update(tenants).where(tenants.c.id == transition["tenant"]).values(turn=latest))
    return lease


def _read(connection: Connection, job_id: str) -> RowMapping:
    return connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().one()
