"""Jobs that were deleted, until their files are gone too: what is half removed is known, and goes on being removed."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select, update

from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.records import Removal
from cluster.ledger.tables import jobs, removals, tickets, uploads
from cluster.ledger.transition import Transition

LATE_WRITES_SECONDS = 3600.0
"""A worker that has not noticed yet that its job is gone may write files for so long."""


class Removals(LedgerBase):
    """What `delete` leaves to be done. Everything here may be repeated."""

    def removal(self, job_id: str, tenant: str | None = None) -> Removal | None:
        """The removal of one job, where it is not over yet."""
        mine = [] if tenant is None else [removals.c.tenant == tenant]
        found = select(removals).where(removals.c.job_id == job_id, *mine)
        row = self._database.read(lambda connection: connection.execute(found).mappings().one_or_none())
        return None if row is None else _removal_of(row)

    def removals(self, limit: int = 100) -> tuple[Removal, ...]:
        """Those to be worked on: not done yet, or done so long ago that nobody writes any more; oldest first."""
        due = removals.c.done_at.is_(None) | (removals.c.created_at < Now() - LATE_WRITES_SECONDS)
        oldest = select(removals).where(due).order_by(removals.c.created_at).limit(limit)
        return self._database.read(
            lambda connection: tuple(_removal_of(row) for row in connection.execute(oldest).mappings())
        )

    def serves_another(self, **columns: str) -> bool:
        """Whether a job has these values, such as `source_uri` and `tenant`: what belongs to it stays."""
        same: list[ColumnElement[bool]] = [jobs.c[name] == value for name, value in columns.items()]
        found = select(jobs.c.id).where(*same).limit(1)
        return self._database.read(lambda connection: connection.execute(found).first() is not None)

    def forget_upload(self, upload_id: str, tenant: str) -> None:
        """Let nobody make another job of an upload."""
        mine = delete(uploads).where(uploads.c.id == upload_id, uploads.c.tenant == tenant)
        self._database.write(lambda connection: connection.execute(mine))

    def removed(self, job_id: str) -> None:
        """Note that all files of a job are gone; after the time of late writes that is the end of it."""

        def write(connection: Connection) -> None:
            mine = removals.c.job_id == job_id
            connection.execute(delete(removals).where(mine, removals.c.created_at < Now() - LATE_WRITES_SECONDS))
            connection.execute(update(removals).where(mine, removals.c.done_at.is_(None)).values(done_at=Now()))

        self._database.write(write)


def note_removal(transition: Transition) -> None:
    """Keep what leads to a job's files when the job itself goes."""
    names = ("tenant", "source_uri", "source_version", "destination")
    kept: dict[str, Any] = {name: transition[name] for name in names}
    connection = transition.connection
    connection.execute(insert(removals).values(job_id=transition.job_id, created_at=Now(), **kept))
    connection.execute(delete(tickets).where(tickets.c.job_id == transition.job_id))


def _removal_of(row: RowMapping) -> Removal:
    return Removal(
        row["job_id"],
        row["tenant"],
        row["source_uri"],
        row["source_version"],
        row["destination"],
        row["done_at"] is not None,
    )
