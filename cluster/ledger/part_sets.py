"""The set of parts that a stage, or one language of it, consists of.

How many there are, how many are over, and which part closed it.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, delete, func, insert, select, update

from cluster.ledger.clock import Now
from cluster.ledger.part_state import void_passing_failures
from cluster.ledger.progress import advance
from cluster.ledger.records import EventKind, Stage, StageStatus
from cluster.ledger.rows import failure_columns
from cluster.ledger.tables import parts, processing_stages
from cluster.ledger.transition import Transition

_OVER = (StageStatus.COMPLETED.value, StageStatus.FAILED.value)


@dataclass(frozen=True, slots=True)
class PartSet:
    """A row of `processing_stages`.

    Attributes:
        expected: How many parts there are; None while that is not known.
        planned_fence: Fence of the lease that recorded `expected`.
        seconds: Sum over the parts of their last running times.
        closer: Index of the part that closed the set; None while it is open.
    """

    stage: Stage
    language: str
    status: StageStatus = StageStatus.PENDING
    expected: int | None = None
    planned_fence: int = 0
    done: int = 0
    failed: int = 0
    seconds: float = 0.0
    closer: int | None = None

    @property
    def over(self) -> bool:
        """True where every expected part has ended, well or badly."""
        return self.over_count == self.expected

    @property
    def over_count(self) -> int:
        """Parts that have ended, well or badly."""
        return self.done + self.failed

    @property
    def percent(self) -> int | None:
        """Whole per cent of the parts that have ended; None while nobody knows how many there are."""
        if self.expected is None:
            return None
        return 100 * self.over_count // self.expected if self.expected else 100

    @property
    def landmark(self) -> tuple[StageStatus, int | None, int]:
        """What watchers are told of a change in.

        A source of a hundred hours has thousands of parts: watchers hear of each whole per cent, and of each doubling
        while the number of parts is not known, never of every part.
        """
        step = self.over_count.bit_length() if self.percent is None else self.percent
        return self.status, self.expected, step

    def leaves_out(self, index: int, fence: int) -> bool:
        """True where the plan that this very lease has recorded ends before the index."""
        return self.planned_fence == fence and self.is_outgrown_by(index)

    def is_outgrown_by(self, index: int) -> bool:
        """True where the plan on record ends before the index."""
        return self.expected is not None and index >= self.expected

    def where(self, table: Table, transition: Transition) -> ColumnElement[bool]:
        """The set's rows of `parts` or `processing_stages`."""
        return and_(
            table.c.job_id == transition.job_id,
            table.c.stage == self.stage.value,
            table.c.language == self.language,
        )


def load_set(transition: Transition, stage: Stage, language: str) -> PartSet:
    """Read a set; one that nobody has touched has no row and is pending."""
    fresh = PartSet(stage, language)
    row = transition.connection.execute(
        select(processing_stages).where(fresh.where(processing_stages, transition))
    ).one_or_none()
    if row is None:
        return fresh
    return PartSet(
        stage,
        language,
        StageStatus(row.status),
        row.expected,
        row.planned_fence,
        row.done,
        row.failed,
        row.seconds,
        row.closer,
    )


def replan(transition: Transition, known: PartSet, count: int, fence: int) -> PartSet:
    """Set how many parts are expected; another number than before drops the parts beyond it and reopens the set."""
    planned = replace(known, expected=count, planned_fence=fence)
    if known.expected == count:
        return planned
    transition.connection.execute(delete(parts).where(known.where(parts, transition), parts.c["index"] >= count))
    return replace(planned, closer=None)


def void_earlier(transition: Transition, known: PartSet, fence: int) -> PartSet:
    """Reopen a set because one of its parts is other work than before.

    If an earlier attempt left outcomes or a plan in the set, those belong to the other work: they must not close this
    attempt's set before its parts have run. They count again as soon as this attempt confirms them.
    """
    transition.connection.execute(
        update(parts)
        .where(known.where(parts, transition), parts.c.fence < fence, parts.c.status.in_(_OVER))
        .values(status=StageStatus.PENDING.value, **failure_columns(None))
    )
    return replace(known, closer=None, expected=known.expected if known.planned_fence == fence else None)


def reopen_for_retries(transition: Transition) -> None:
    """Try parts again, in a new attempt of the job, whose failure may pass.

    Their sets reopen: otherwise the closer would go on, in this attempt, before those parts had been tried again.
    """
    for stage, language in sorted(void_passing_failures(transition)):
        known = load_set(transition, Stage(stage), language)
        settle(transition, known, replace(known, closer=None))


def settle(transition: Transition, known: PartSet, changed: PartSet, closing: int | None = None) -> PartSet:
    """Count the parts, close the set in the name of part `closing` if they are all over, and store what differs."""
    settled = _closed(_counted(transition, changed), closing)
    if settled != known:
        _store(transition, known, settled)
    if settled.over_count != known.over_count or settled.landmark != known.landmark:
        advance(transition)
    if settled.landmark != known.landmark:
        transition.record(EventKind.STAGE, **_visible(settled), progress=transition["progress"])
    return settled


def _counted(transition: Transition, known: PartSet) -> PartSet:
    statement = (
        select(parts.c.status, func.count(), func.sum(parts.c.seconds))
        .where(known.where(parts, transition))
        .group_by(parts.c.status)
    )
    found = {StageStatus(status): (count, total) for status, count, total in transition.connection.execute(statement)}
    counted = replace(
        known,
        done=found.get(StageStatus.COMPLETED, (0, 0.0))[0],
        failed=found.get(StageStatus.FAILED, (0, 0.0))[0],
        seconds=sum(total for _, total in found.values()),
    )
    started = known.status is not StageStatus.PENDING or bool(found.keys() - {StageStatus.PENDING})
    return replace(counted, status=_status(counted, started=started))


def _status(counted: PartSet, *, started: bool) -> StageStatus:
    if counted.over:
        return StageStatus.FAILED if counted.failed and not counted.done else StageStatus.COMPLETED
    return StageStatus.RUNNING if started else StageStatus.PENDING


def _closed(counted: PartSet, closing: int | None) -> PartSet:
    return replace(counted, closer=closing) if counted.over and counted.closer is None else counted


def _store(transition: Transition, known: PartSet, settled: PartSet) -> None:
    values: dict[str, Any] = {
        "status": settled.status.value,
        "expected": settled.expected,
        "planned_fence": settled.planned_fence,
        "done": settled.done,
        "failed": settled.failed,
        "seconds": settled.seconds,
        "closer": settled.closer,
    }
    if known.status is StageStatus.PENDING and settled.status is not StageStatus.PENDING:
        values["started_at"] = Now()
    if known.status.terminal is not settled.status.terminal:
        values["finished_at"] = Now() if settled.status.terminal else None
    changed = update(processing_stages).where(known.where(processing_stages, transition)).values(values)
    if transition.connection.execute(changed).rowcount == 0:
        row = {"job_id": transition.job_id, "stage": settled.stage.value, "language": settled.language}
        transition.connection.execute(insert(processing_stages).values({**row, **values}))


def _visible(part_set: PartSet) -> dict[str, str | int | None]:
    return {
        "stage": part_set.stage.value,
        "language": part_set.language,
        "status": part_set.status.value,
        "expected": part_set.expected,
        "done": part_set.done,
        "failed": part_set.failed,
        "percent": part_set.percent,
    }
