"""What the ledger remembers of jobs that have finished, for telling when others will."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from threading import Lock
from time import monotonic

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, or_, select

from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.estimates import Finished, Standing, seconds_left
from cluster.ledger.records import JobStatus, Stage
from cluster.ledger.rows import job_of
from cluster.ledger.tables import jobs, leases, processing_stages, waiting
from cluster.ledger.transition import not_found

LATEST = 200
"""Finished jobs that are looked at."""
MOST_AHEAD = 10_000
"""A longer queue is not counted."""
FRESH_SECONDS = 60.0
"""How long they are remembered before they are read again."""


class Experience(LedgerBase):
    """Looking back on all jobs."""

    def finished_jobs(self, limit: int = LATEST) -> tuple[Finished, ...]:
        """The latest completed jobs that were worked on from their first stage on since they were last asked for."""
        latest = (
            select(jobs)
            .where(jobs.c.status == JobStatus.COMPLETED.value, jobs.c.media_seconds > 0)
            .order_by(jobs.c.number.desc())
            .limit(limit)
            .subquery()
        )
        ended = and_(
            processing_stages.c.job_id == latest.c.id,
            processing_stages.c.stage.in_([stage.value for stage in Stage]),
            processing_stages.c.started_at >= latest.c.queued_at,
            processing_stages.c.finished_at.is_not(None),
        )
        times = (processing_stages.c.stage, processing_stages.c.started_at, processing_stages.c.finished_at)
        found = select(latest, *times).join_from(latest, processing_stages, ended).order_by(latest.c.number.desc())
        rows = self._database.read(lambda connection: connection.execute(found).mappings().all())
        return tuple(_finished(rows))

    def job_standing(self, job_id: str) -> tuple[Standing, float]:
        """Where a job stands, and the time of that on the database's clock.

        Raises:
            DubflowError: `not_found`.
        """
        return self._database.read(lambda connection: _standing(connection, job_id))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is ahead of a job.

    Attributes:
        completion: When it will be over, in UTC seconds since the epoch; None where there is nothing to tell by.
        ahead: Jobs that are claimed before it; None for one that does not wait, and behind more than can be counted.
    """

    completion: float | None
    ahead: int | None


class Estimator:
    """Tells when jobs will be over; remembers for a while what it has learned. Threads may share it."""

    def __init__(self, ledger: Experience) -> None:
        self._ledger = ledger
        self._lock = Lock()
        self._past: tuple[Finished, ...] = ()
        self._until = 0.0

    def outlook(self, job_id: str) -> Outlook:
        """What is ahead of a job.

        Raises:
            DubflowError: `not_found`.
        """
        standing, now = self._ledger.job_standing(job_id)
        left = None if standing.status.idle else seconds_left(standing, self._learned())
        waits = standing.status is JobStatus.UPLOADED
        return Outlook(None if left is None else now + left, standing.ahead if waits else None)

    def _learned(self) -> tuple[Finished, ...]:
        with self._lock:
            if monotonic() >= self._until:
                self._past = self._ledger.finished_jobs()
                self._until = monotonic() + FRESH_SECONDS
            return self._past


def _finished(rows: Sequence[RowMapping]) -> Iterator[Finished]:
    for _, group in groupby(rows, lambda row: row["id"]):
        stages = list(group)
        began = min(row["started_at"] for row in stages)
        ends: dict[Stage, float] = {}
        for row in stages:
            stage = Stage(row["stage"])
            ends[stage] = max(ends.get(stage, 0.0), row["finished_at"] - began)
        seconds = max(ends.values())
        if Stage.VALIDATION in ends and seconds > 0:
            yield Finished(
                json.loads(stages[0]["options"]).get("profile", ""),
                stages[0]["media_seconds"],
                len(json.loads(stages[0]["target_languages"])),
                seconds,
                ends,
            )


def _standing(connection: Connection, job_id: str) -> tuple[Standing, float]:
    row = connection.execute(select(jobs, Now().label("now")).where(jobs.c.id == job_id)).mappings().one_or_none()
    if row is None:
        raise not_found(job_id)
    job = job_of(row)
    waits = job.status is JobStatus.UPLOADED
    began = connection.scalar(
        select(func.min(processing_stages.c.started_at)).where(
            processing_stages.c.job_id == job_id, processing_stages.c.started_at >= row["queued_at"]
        )
    )
    standing = Standing(
        status=job.status,
        profile=job.request.options.get("profile", ""),
        progress=job.progress,
        worked_seconds=0.0 if waits or began is None else max(0.0, row["now"] - began),
        media_seconds=job.media_seconds,
        languages=len(job.request.target_languages),
        ahead=_ahead(connection, row) if waits else 0,
        in_work=connection.execute(select(func.count()).select_from(leases)).scalar_one() if waits else 0,
    )
    return standing, row["now"]


def _before(row: RowMapping) -> ColumnElement[bool]:
    """Jobs that are claimed before one that waits, but for the turns that tenants take."""
    older = or_(
        jobs.c.queued_at < row["queued_at"], and_(jobs.c.queued_at == row["queued_at"], jobs.c.number < row["number"])
    )
    sooner = or_(jobs.c.priority > row["priority"], and_(jobs.c.priority == row["priority"], older))
    return and_(waiting, sooner)


def _ahead(connection: Connection, row: RowMapping) -> int | None:
    some = select(jobs.c.number).where(_before(row)).limit(MOST_AHEAD).subquery()
    ahead = connection.execute(select(func.count()).select_from(some)).scalar_one()
    return None if ahead == MOST_AHEAD else ahead
