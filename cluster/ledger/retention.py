"""What is old enough to go."""

from sqlalchemy import Connection, delete, select

from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.records import Job, JobStatus
from cluster.ledger.rows import job_of
from cluster.ledger.tables import events, jobs

_AT_REST = [status.value for status in JobStatus if status.idle]


class Retention(LedgerBase):
    """Finds what nobody has touched for long."""

    def expired_jobs(self, destination: str, seconds: float, limit: int) -> tuple[Job, ...]:
        """Jobs with results below a URI that have ended, or wait for a person, and did not change for so long."""
        old = select(jobs).where(
            jobs.c.status.in_(_AT_REST),
            jobs.c.updated_at <= Now() - seconds,
            jobs.c.created_at <= Now() - seconds,
            jobs.c.destination.startswith(destination, autoescape=True),
        )
        oldest = old.order_by(jobs.c.number).limit(limit)
        return self._database.read(
            lambda connection: tuple(job_of(row) for row in connection.execute(oldest).mappings())
        )

    def forget_events(self, seconds: float, limit: int) -> int:
        """Remove the events of jobs that ended so long ago, but for each job's last one; returns the number of jobs.

        The last one tells whoever still follows the job that it is over.
        """
        ended = [status.value for status in JobStatus if status.terminal]
        stale = (
            select(jobs.c.id, jobs.c.seq)
            .join(events, (events.c.job_id == jobs.c.id) & (events.c.seq < jobs.c.seq))
            .where(jobs.c.status.in_(ended), jobs.c.updated_at <= Now() - seconds)
            .distinct()
            .limit(limit)
        )
        found = self._database.read(lambda connection: connection.execute(stale).all())

        def forget(connection: Connection) -> None:
            for row in found:
                connection.execute(delete(events).where(events.c.job_id == row.id, events.c.seq < row.seq))

        if found:
            self._database.write(forget)
        return len(found)
