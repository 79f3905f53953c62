"""One part: how often it was begun, and what became of it."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, select, update

from cluster.errors import RETRYABLE, ErrorCode
from cluster.ledger.clock import Now
from cluster.ledger.records import Failure, PartId, Stage, StageStatus
from cluster.ledger.rows import failure_columns, failure_of
from cluster.ledger.tables import parts
from cluster.ledger.transition import Transition

MAX_PART_ATTEMPTS = 3
"""A part that was begun so often without an outcome has taken its workers down with it."""


@dataclass(frozen=True, slots=True)
class PartState:
    """A row of `parts`.

    Attributes:
        attempts: How often it was begun with this key.
        unanswered: How often of these since its last outcome.
        seconds: How long its last run took.
        fence: Of the lease that last wrote it.
    """

    part: PartId
    key: str
    status: StageStatus = StageStatus.PENDING
    attempts: int = 0
    unanswered: int = 0
    seconds: float = 0.0
    fence: int = 0
    failure: Failure | None = None

    @property
    def exhausted(self) -> bool:
        """True for a part that must not be begun again; stays so until it gets another key or ends well."""
        return self.unanswered >= MAX_PART_ATTEMPTS

    def begun(self, fence: int) -> "PartState":
        """The part once more at work."""
        return replace(
            self,
            status=StageStatus.RUNNING,
            attempts=self.attempts + 1,
            unanswered=self.unanswered + 1,
            fence=fence,
            failure=None,
        )

    def given_up(self, fence: int) -> "PartState":
        """The part failed because nobody survived it."""
        failure = Failure(ErrorCode.WORKER_CRASHED, f"took down its worker {self.unanswered} times", self.part.stage)
        return replace(self, status=StageStatus.FAILED, fence=fence, failure=failure)

    def ended(self, fence: int, seconds: float, failure: Failure | None) -> "PartState":
        """The part with an outcome; the first stays, except that success replaces failure."""
        if self.status is StageStatus.COMPLETED or (self.status is StageStatus.FAILED and failure is not None):
            return replace(self, fence=fence)
        status = StageStatus.COMPLETED if failure is None else StageStatus.FAILED
        return replace(self, status=status, unanswered=0, seconds=seconds, fence=fence, failure=failure)


def load_part(transition: Transition, part: PartId) -> PartState | None:
    """Read a part; None if nobody has touched it."""
    row = transition.connection.execute(select(parts).where(_is(transition, part))).mappings().one_or_none()
    if row is None:
        return None
    return PartState(
        part,
        row["key"],
        StageStatus(row["status"]),
        row["attempts"],
        row["unanswered"],
        row["seconds"],
        row["fence"],
        failure_of(row),
    )


def store_part(transition: Transition, state: PartState, *, new: bool) -> None:
    """Write a part."""
    values: dict[str, Any] = {
        "key": state.key,
        "status": state.status.value,
        "attempts": state.attempts,
        "unanswered": state.unanswered,
        "seconds": state.seconds,
        "fence": state.fence,
        **failure_columns(state.failure),
    }
    if state.status is StageStatus.RUNNING or (new and state.status is StageStatus.COMPLETED):
        values["started_at"] = Now()  # what is complete without a beginning existed already: no time passes
    part = state.part
    if new:
        row = {"job_id": transition.job_id, "stage": part.stage.value, "language": part.language, "index": part.index}
        transition.connection.execute(insert(parts).values(row | values))
    else:
        transition.connection.execute(update(parts).where(_is(transition, part)).values(values))


def forgive_running(transition: Transition) -> None:
    """Take back the beginning of parts that were interrupted on purpose: they have crashed nobody."""
    transition.connection.execute(
        update(parts)
        .where(parts.c.job_id == transition.job_id, parts.c.status == StageStatus.RUNNING.value)
        .values(status=StageStatus.PENDING.value, attempts=parts.c.attempts - 1, unanswered=parts.c.unanswered - 1)
    )


def void_passing_failures(transition: Transition) -> frozenset[tuple[str, str]]:
    """Make failed parts pending whose failure another try may not meet; returns stage and language of their sets."""
    voided = transition.connection.execute(
        update(parts)
        .where(
            parts.c.job_id == transition.job_id,
            parts.c.stage.in_([stage.value for stage in Stage]),  # another version may know more of them
            parts.c.status == StageStatus.FAILED.value,
            parts.c.unanswered < MAX_PART_ATTEMPTS,
            parts.c.failure_code.in_([code.value for code in RETRYABLE]),
        )
        .values(status=StageStatus.PENDING.value, **failure_columns(None))
        .returning(parts.c.stage, parts.c.language)
    )
    return frozenset((stage, language) for stage, language in voided)


def _is(transition: Transition, part: PartId) -> ColumnElement[bool]:
    return and_(
        parts.c.job_id == transition.job_id,
        parts.c.stage == part.stage.value,
        parts.c.language == part.language,
        parts.c["index"] == part.index,
    )
