"""The results: one output a target language, and the end of a job once every one of them has ended."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, select, update

from cluster.errors import DubflowError, ErrorCode, LeaseLostError
from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.database import insert_if_absent
from cluster.ledger.progress import advance
from cluster.ledger.records import EventKind, Failure, JobStatus, Lease, Review, StageStatus
from cluster.ledger.rows import failure_columns, failure_data, failure_of, to_json
from cluster.ledger.tables import leases, outputs
from cluster.ledger.transition import Transition, find_and_lock, holds

_OPEN = (StageStatus.PENDING.value, StageStatus.RUNNING.value)
_NO_LEASE = 0
"""Claims count fences from 1."""
_NOTHING = {"files": "{}", "report": "{}", "revision": 0}


class Outputs(LedgerBase):
    """The worker's side of results.

    Each output remembers the fence of the lease that ended it, or that made its draft. A worker whose commit's answer
    was lost, and who asks again after the end of the job took its lease away, is therefore told the same as the first
    time.
    """

    def publish(
        self, lease: Lease, language: str, files: Mapping[str, str], report: Mapping[str, Any], *, script: str = ""
    ) -> bool:
        """Record the finished files of a language, and the key of its script; the last language ends the job.

        Returns:
            True for the one lease whose result counts, however often it asks; False where another lease was first.

        Raises:
            LeaseLostError: The lease is gone.
            DubflowError: `not_found` for a language that the job has not.
        """
        result = {"files": to_json(dict(files)), "report": to_json(dict(report)), "script": script}

        def publish(transition: Transition, output: RowMapping) -> bool:
            first: bool = output["status"] != StageStatus.COMPLETED
            if first:
                _end(transition, language, StageStatus.COMPLETED, lease.fence, None, **result)
            return first

        return self._end_output(lease, language, StageStatus.COMPLETED, publish)

    def fail_output(self, lease: Lease, language: str, failure: Failure) -> None:
        """Record that a language cannot be made; the others go on, and the last one ends the job.

        A language that is published stays so.

        Raises:
            LeaseLostError: The lease is gone.
            DubflowError: `not_found` for a language that the job has not.
        """

        def fail(transition: Transition, output: RowMapping) -> bool:
            if output["status"] in _OPEN:
                _end(transition, language, StageStatus.FAILED, lease.fence, failure)
            return True

        self._end_output(lease, language, StageStatus.FAILED, fail)

    def await_review(self, lease: Lease, language: str, script: str) -> None:
        """Record that a language can be reviewed, and the key of its draft.

        Once every language that is not over can be, the job waits for the review, and its lease is gone. A language
        that is over stays so.

        Raises:
            LeaseLostError: The lease is gone.
            DubflowError: `not_found` for a language that the job has not.
        """

        def wait(transition: Transition, output: RowMapping) -> bool:
            if output["status"] in _OPEN:
                drafted = update(outputs).where(outputs.c.job_id == lease.job_id, outputs.c.language == language)
                transition.connection.execute(drafted.values(script=script, fence=lease.fence))
            return True

        self._end_output(lease, language, StageStatus.PENDING, wait)

    def _end_output(
        self, lease: Lease, language: str, status: StageStatus, end: Callable[[Transition, RowMapping], bool]
    ) -> bool:
        def write(connection: Connection) -> bool:
            transition = find_and_lock(connection, lease.job_id)
            if transition is None:
                raise LeaseLostError
            output = _output(transition, language)
            if (output["status"], output["fence"]) == (status, lease.fence):
                return True
            if not holds(connection, lease):
                raise LeaseLostError
            transition.set(worked_at=Now())
            result = end(transition, output)
            _rest_if_over(transition)
            transition.save()
            return result

        return self._database.write(write)


def add_outputs(transition: Transition, languages: Iterable[str]) -> None:
    """Add pending outputs for those languages that have none."""
    for language in languages:
        pending = {"language": language, "status": StageStatus.PENDING.value, "fence": _NO_LEASE, **_NOTHING}
        if insert_if_absent(transition.connection, outputs, {"job_id": transition.job_id, **pending}):
            _record(transition, language, StageStatus.PENDING)


def reopen_outputs(transition: Transition, languages: Sequence[str] | None) -> None:
    """Make outputs pending again: those named, or else those not completed, or all where every one is.

    What they have published stays theirs until something else is.

    Raises:
        DubflowError: `not_found` for a language that the job has not; `invalid_request` for an empty choice.
    """
    rows = {row["language"]: row["status"] for row in _rows(transition)}
    incomplete = [tag for tag in transition.languages if rows.get(tag) != StageStatus.COMPLETED]
    chosen = (incomplete or transition.languages) if languages is None else languages
    if not chosen:
        raise DubflowError(ErrorCode.INVALID_REQUEST, "name at least one language to make again")
    for language in chosen:
        _require(language in transition.languages, transition, language)
        if language in rows:
            _write(transition, language, StageStatus.PENDING, _NO_LEASE, None)


def end_open_outputs(transition: Transition, failure: Failure) -> None:
    """Let all outputs fail that have not ended, because the job has."""
    for row in _rows(transition):
        if row["status"] in _OPEN:
            _write(transition, row["language"], StageStatus.FAILED, _NO_LEASE, failure)


def _end(
    transition: Transition,
    language: str,
    status: StageStatus,
    fence: int,
    failure: Failure | None,
    **result: str,
) -> None:
    _write(transition, language, status, fence, failure, **result)
    advance(transition)


def _write(
    transition: Transition, language: str, status: StageStatus, fence: int, failure: Failure | None, **result: str
) -> None:
    row = update(outputs).where(outputs.c.job_id == transition.job_id, outputs.c.language == language)
    transition.connection.execute(row.values(status=status.value, fence=fence, **failure_columns(failure), **result))
    _record(transition, language, status, failure)


def _record(transition: Transition, language: str, status: StageStatus, failure: Failure | None = None) -> None:
    transition.record(EventKind.OUTPUT, language=language, status=status.value, failure=failure_data(failure))


def _rest_if_over(transition: Transition) -> None:
    """End the job with its last language; let it wait once all that are left have come to the point of review."""
    rows = {row["language"]: row for row in _rows(transition)}
    left = [row for row in rows.values() if row["status"] in _OPEN]
    if left and not _waits_for_review(transition, left):
        return
    transition.connection.execute(delete(leases).where(leases.c.job_id == transition.job_id))
    if left:
        transition.move(JobStatus.AWAITING_REVIEW)
        return
    if any(row["status"] == StageStatus.COMPLETED for row in rows.values()):
        transition.move(JobStatus.COMPLETED, progress=100.0)
    else:
        first = next(rows[language] for language in transition.languages if language in rows)
        transition.move(JobStatus.FAILED, failure_of(first))


def _waits_for_review(transition: Transition, left: Sequence[RowMapping]) -> bool:
    # A draft of an earlier attempt does not count: this attempt is still at work on that language.
    return transition["review"] == Review.WANTED and all(row["fence"] == transition["fence"] for row in left)


def _output(transition: Transition, language: str) -> RowMapping:
    found = {row["language"]: row for row in _rows(transition)}
    _require(language in found, transition, language)
    return found[language]


def _require(known: bool, transition: Transition, language: str) -> None:
    if not known:
        raise DubflowError(ErrorCode.NOT_FOUND, f"job {transition.job_id} has no target language {language}")


def _rows(transition: Transition) -> Sequence[RowMapping]:
    return transition.connection.execute(select(outputs).where(outputs.c.job_id == transition.job_id)).mappings().all()
