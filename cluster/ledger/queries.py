"""What people and doors read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, Table, and_, func, or_, select

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.records import (
    Event,
    Job,
    JobPage,
    JobStatus,
    Output,
    Part,
    Priority,
    QueueDepth,
    Snapshot,
    Stage,
    StageState,
    StageStatus,
)
from cluster.ledger.rows import event_of, job_of, output_of, part_of
from cluster.ledger.tables import events, jobs, outputs, parts, processing_stages, waiting
from cluster.ledger.transition import not_found

Item = TypeVar("Item")

_JOBS_A_QUERY = 100
"""SQLite allows a thousand levels of an expression, and planners take their time over long ones."""


class Queries(LedgerBase):
    """The readers' side of the ledger: changes nothing and waits for nobody.

    Methods that take a job's id raise DubflowError `not_found` for one that does not exist.
    """

    def job(self, job_id: str, tenant: str | None = None) -> Job:
        """One job; with a tenant, one of theirs: to everybody else it does not exist."""
        return self._database.read(lambda connection: job_of(_job(connection, job_id, tenant)))

    def snapshot(self, job_id: str, tenant: str | None = None) -> Snapshot:
        """One job with all its stages and outputs; `job` says whose. Events after `job.seq` lead on from it."""

        def read(connection: Connection) -> Snapshot:
            job = job_of(_job(connection, job_id, tenant))
            return Snapshot(job, _stages(connection, job), _outputs(connection, job))

        return self._database.read(read)

    def jobs(
        self,
        *,
        tenant: str | None = None,
        status: JobStatus | None = None,
        batch: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobPage:
        """Jobs, newest first. A page's cursor stays good while jobs come, change and go.

        Raises:
            DubflowError: `invalid_request` for a cursor that no page gave.
        """
        return self._page(_matching(tenant, status, batch), limit, cursor)

    def dead_letters(self, *, tenant: str | None = None, limit: int = 50, cursor: str | None = None) -> JobPage:
        """Failed jobs whose attempts ran out, newest first; `requeue` gives them new ones.

        Raises:
            DubflowError: `invalid_request` for a cursor that no page gave.
        """
        return self._page([*_matching(tenant, JobStatus.FAILED, None), jobs.c.dead_letter], limit, cursor)

    def counts(self, *, tenant: str | None = None, batch: str | None = None) -> dict[JobStatus, int]:
        """How many jobs there are in each status, zeros included."""
        counted = (
            select(jobs.c.status, func.count().label("jobs"))
            .where(*_matching(tenant, None, batch))
            .group_by(jobs.c.status)
        )
        found = self._database.read(lambda connection: {row.status: row.jobs for row in connection.execute(counted)})
        return {status: found.get(status.value, 0) for status in JobStatus}

    def queue_depth(self) -> tuple[QueueDepth, ...]:
        """What waits, by priority, empty ones included."""
        counted = (
            select(jobs.c.priority, func.count().label("jobs"), (Now() - func.min(jobs.c.queued_at)).label("oldest"))
            .where(waiting)
            .group_by(jobs.c.priority)
        )
        rows = self._database.read(lambda connection: connection.execute(counted).all())
        found = {row.priority: QueueDepth(Priority(row.priority), row.jobs, max(0.0, row.oldest)) for row in rows}
        return tuple(found.get(priority, QueueDepth(priority, 0, 0.0)) for priority in Priority)

    def stages(self, job_id: str) -> tuple[StageState, ...]:
        """All stages in order, those for each language once a language; untouched ones are pending."""
        return self._database.read(lambda connection: _stages(connection, job_of(_job(connection, job_id))))

    def parts(self, job_id: str, stage: Stage, language: str = "") -> tuple[Part, ...]:
        """The parts of a stage that anybody has touched, by index."""

        def read(connection: Connection) -> tuple[Part, ...]:
            _job(connection, job_id)
            chosen = (parts.c.stage == stage.value, parts.c.language == language)
            return tuple(part_of(row) for row in _rows(connection, parts, job_id, *chosen, by=parts.c["index"]))

        return self._database.read(read)

    def outputs(self, job_id: str) -> tuple[Output, ...]:
        """One output for each target language, in the order of the request."""
        return self._database.read(lambda connection: _outputs(connection, job_of(_job(connection, job_id))))

    def events(self, job_id: str, after: int = 0, limit: int = 100) -> tuple[Event, ...]:
        """Events of a job with a number above `after`, oldest first."""

        def read(connection: Connection) -> tuple[Event, ...]:
            _job(connection, job_id)
            later = events.c.seq > after
            return tuple(
                event_of(row) for row in _rows(connection, events, job_id, later, by=events.c.seq, limit=limit)
            )

        return self._database.read(read)

    def news(self, after: Mapping[str, int]) -> dict[str, tuple[Event, ...]]:
        """All events of several jobs above a number for each, oldest first; jobs without any are left out."""

        def read(connection: Connection) -> list[Event]:
            return [
                event_of(row)
                for chosen in _chunks(list(after.items()))
                for row in connection.execute(_news(chosen)).mappings()
            ]

        found: dict[str, tuple[Event, ...]] = {}
        for job_id, told in groupby(self._database.read(read), lambda event: event.job_id):
            found[job_id] = tuple(told)
        return found

    def existing(self, job_ids: Sequence[str]) -> frozenset[str]:
        """Those of the jobs that there are."""

        def read(connection: Connection) -> frozenset[str]:
            return frozenset(
                job_id
                for chosen in _chunks(job_ids)
                for job_id in connection.scalars(select(jobs.c.id).where(jobs.c.id.in_(chosen)))
            )

        return self._database.read(read)

    def _page(self, wanted: list[ColumnElement[bool]], limit: int, cursor: str | None) -> JobPage:
        newest = select(jobs).where(*wanted, *_older_than(cursor)).order_by(jobs.c.number.desc()).limit(limit + 1)
        rows = self._database.read(lambda connection: connection.execute(newest).mappings().all())
        more = str(rows[limit - 1]["number"]) if len(rows) > limit else None
        return JobPage(tuple(job_of(row) for row in rows[:limit]), more)


def _chunks(some: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (some[first : first + _JOBS_A_QUERY] for first in range(0, len(some), _JOBS_A_QUERY))


def _news(after: Iterable[tuple[str, int]]) -> Select[Any]:
    later = or_(*(and_(events.c.job_id == job_id, events.c.seq > seq) for job_id, seq in after))
    return select(events).where(later).order_by(events.c.job_id, events.c.seq)


def _matching(tenant: str | None, status: JobStatus | None, batch: str | None) -> list[ColumnElement[bool]]:
    wanted = ((jobs.c.tenant, tenant), (jobs.c.status, status), (jobs.c.batch, batch))
    return [column == value for column, value in wanted if value is not None]


def _older_than(cursor: str | None) -> list[ColumnElement[bool]]:
    if cursor is None:
        return []
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < len(str(2**63))):
        raise DubflowError(ErrorCode.INVALID_REQUEST, "this cursor came from no list; start without one")
    return [jobs.c.number < int(cursor)]


def _job(connection: Connection, job_id: str, tenant: str | None = None) -> RowMapping:
    mine = [] if tenant is None else [jobs.c.tenant == tenant]
    row = connection.execute(select(jobs).where(jobs.c.id == job_id, *mine)).mappings().one_or_none()
    if row is None:
        raise not_found(job_id)
    return row


def _stages(connection: Connection, job: Job) -> tuple[StageState, ...]:
    known = {(row["stage"], row["language"]): row for row in _rows(connection, processing_stages, job.id)}
    return tuple(
        _stage_state(stage, language, known.get((stage.value, language)))
        for stage in Stage
        for language in (job.request.target_languages if stage.per_language else ("",))
    )


def _outputs(connection: Connection, job: Job) -> tuple[Output, ...]:
    known = {row["language"]: output_of(row) for row in _rows(connection, outputs, job.id)}
    return tuple(
        known.get(language, Output(language, StageStatus.PENDING)) for language in job.request.target_languages
    )


def _rows(
    connection: Connection,
    table: Table,
    job_id: str,
    *wanted: ColumnElement[bool],
    by: ColumnElement[int] | None = None,
    limit: int | None = None,
) -> list[RowMapping]:
    rows = select(table).where(table.c.job_id == job_id, *wanted).order_by(by).limit(limit)
    return list(connection.execute(rows).mappings())


def _stage_state(stage: Stage, language: str, row: RowMapping | None) -> StageState:
    if row is None:
        return StageState(stage, language, StageStatus.PENDING, None, 0, 0, 0.0)
    return StageState(
        stage,
        language,
        StageStatus(row["status"]),
        row["expected"],
        row["done"],
        row["failed"],
        row["seconds"],
        row["started_at"],
        row["finished_at"],
    )
