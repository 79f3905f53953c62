"""When each stage and part of a job ran."""

from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, Table, select

from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.records import Job, Stage, StageStatus
from cluster.ledger.rows import job_of
from cluster.ledger.tables import jobs, parts, processing_stages
from cluster.ledger.transition import not_found

_KNOWN = [stage.value for stage in Stage]
"""During a rolling upgrade a newer version may write stages that this one does not know."""


@dataclass(frozen=True, slots=True)
class Spell:
    """Some time that was spent on a job; times are UTC seconds since the epoch on the database's clock.

    Attributes:
        index: Of the part; None for the stage as a whole.
        seconds: How long it took, or has taken so far.
    """

    stage: Stage
    language: str
    index: int | None
    status: StageStatus
    started_at: float
    seconds: float
    attempts: int = 1
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """A job and its spells, in order of their beginnings."""

    job: Job
    spells: tuple[Spell, ...]


class Timelines(LedgerBase):
    """Looking back on how jobs went."""

    def timeline(self, job_id: str) -> Timeline:
        """When each stage and part of a job ran last.

        Raises:
            DubflowError: `not_found`.
        """

        def read(connection: Connection) -> Timeline:
            job = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().one_or_none()
            if job is None:
                raise not_found(job_id)
            now: float = connection.execute(select(Now())).scalar_one()
            spells = [
                *(_stage(row, now) for row in _begun(connection, job_id, processing_stages)),
                *(_part(row, now) for row in _begun(connection, job_id, parts)),
            ]
            return Timeline(job_of(job), tuple(sorted(spells, key=lambda spell: spell.started_at)))

        return self._database.read(read)


def _begun(connection: Connection, job_id: str, table: Table) -> list[RowMapping]:
    begun = select(table).where(table.c.job_id == job_id, table.c.started_at.is_not(None), table.c.stage.in_(_KNOWN))
    return list(connection.execute(begun).mappings())


def _stage(row: RowMapping, now: float) -> Spell:
    ended = now if row["finished_at"] is None else row["finished_at"]
    return Spell(
        Stage(row["stage"]),
        row["language"],
        None,
        StageStatus(row["status"]),
        row["started_at"],
        max(0.0, ended - row["started_at"]),
    )


def _part(row: RowMapping, now: float) -> Spell:
    status = StageStatus(row["status"])
    return Spell(
        Stage(row["stage"]),
        row["language"],
        row["index"],
        status,
        row["started_at"],
        max(0.0, now - row["started_at"]) if status is StageStatus.RUNNING else row["seconds"],
        row["attempts"],
        row["failure_code"],
    )
