"""What every part of the ledger stands on: one database, and transactions on one job."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, select

from cluster.ledger.clock import Now
from cluster.ledger.database import Database
from cluster.ledger.records import Job, Lease
from cluster.ledger.rows import job_of
from cluster.ledger.tables import jobs
from cluster.ledger.transition import Transition, lock_job, lock_leased

Result = TypeVar("Result")


class LedgerBase:
    """The database and the rules of time; pickled without connections, so that any process can open its own."""

    def __init__(self, url: str, *, lease_seconds: float, max_attempts: int) -> None:
        self._database = Database(url)
        self._url = url
        self.lease_seconds = lease_seconds
        self.max_attempts = max_attempts

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self._url, "lease_seconds": self.lease_seconds, "max_attempts": self.max_attempts}

    def __setstate__(self, state: dict[str, Any]) -> None:
        LedgerBase.__init__(self, **state)

    def _change(self, job_id: str, work: Callable[[Transition], Result]) -> Result:
        """Run `work` on the locked job and save what it changed."""
        return self._database.write(lambda connection: _saved(lock_job(connection, job_id), work))

    def _changed(self, job_id: str, work: Callable[[Transition], None]) -> Job:
        """Run `work` on the locked job, save what it changed, and return the job as it is then."""

        def change(connection: Connection) -> Job:
            _saved(lock_job(connection, job_id), work)
            return job_of(connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().one())

        return self._database.write(change)

    def _work(self, lease: Lease, work: Callable[[Transition], Result]) -> Result:
        """Run `work` on the locked job if the lease stands, save what it changed, and note that its owner works."""

        def write(connection: Connection) -> Result:
            transition = lock_leased(connection, lease)
            transition.set(worked_at=Now())
            return _saved(transition, work)

        return self._database.write(write)


def _saved(transition: Transition, work: Callable[[Transition], Result]) -> Result:
    result = work(transition)
    transition.save()
    return result
