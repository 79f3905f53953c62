"""What people and doors do with jobs: submit, retry, extend, cancel, delete."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select, update

from cluster.errors import DubflowError, ErrorCode
from cluster.keys import digest
from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.database import insert_if_absent
from cluster.ledger.outputs import add_outputs, end_open_outputs, reopen_outputs
from cluster.ledger.part_state import forgive_running
from cluster.ledger.queue import Admission, admit, ask, forget_parts, queue, require_idle, require_terminal
from cluster.ledger.records import EventKind, Failure, Job, JobRequest, JobStatus, Review
from cluster.ledger.removals import note_removal
from cluster.ledger.rows import job_of, storable, to_json
from cluster.ledger.tables import events, jobs, leases, tenants
from cluster.ledger.transition import Transition, announce

_ACTIVE = frozenset(JobStatus) - {status for status in JobStatus if status.terminal}


class Jobs(LedgerBase):
    """The doors' side of the ledger.

    When a commit's answer is lost the transaction runs again (see Database). Submitting, cancelling and adding
    languages are idempotent by themselves; requeueing and deleting remember within the call that they were already past
    their check, and take what they find then for their own doing.
    """

    def submit(self, request: JobRequest, *, admission: Admission | None = None) -> Job:
        """Accept a request, or return the job that already does the same for the same tenant.

        A job that is not finished moves to the newest request's batch, and up to its priority where that is higher.

        Args:
            request: What is wanted.
            admission: Asked before a new job is queued.

        Raises:
            DubflowError: `invalid_request` for requests without target languages or with text that cannot be stored;
                what `admission` raises.
        """
        identity = _identity(request)
        values = _columns(request)
        return self._database.write(lambda connection: _submit(connection, identity, values, admission))

    def find(self, request: JobRequest) -> Job | None:
        """The job that does what a request asks for, where there is one."""
        same = select(jobs).where(jobs.c.identity == _identity(request))
        row = self._database.read(lambda connection: connection.execute(same).mappings().one_or_none())
        return job_of(row) if row else None

    def requeue(
        self,
        job_id: str,
        batch: str | None = None,
        languages: Sequence[str] | None = None,
        *,
        admission: Admission | None = None,
    ) -> Job:
        """Put a finished job into the queue again, with all its attempts and without its parts.

        Args:
            job_id: A completed, failed or cancelled job.
            batch: The command that asks, where it wants to wait for the job.
            languages: Outputs to make again. By default those that are not completed; all, where every one is.
            admission: Asked before the job is queued.

        Raises:
            DubflowError: `not_found`; `conflict` where the job is not finished; what `admission` raises.
        """
        asked = False

        def requeue(transition: Transition) -> None:
            nonlocal asked
            if asked and not transition.status.terminal:
                return
            require_terminal(transition, "retried")
            admit(transition, admission)
            asked = True
            reopen_outputs(transition, languages)
            forget_parts(transition)
            queue(transition, progress=0.0, warnings="[]", **({} if batch is None else {"batch": batch}))

        return self._changed(job_id, requeue)

    def add_languages(self, job_id: str, languages: Sequence[str], *, admission: Admission | None = None) -> Job:
        """Add target languages to a job at rest and queue it; what is published and what was analysed stay.

        Languages that the job has already are left alone; where it has all of them nothing happens. The job keeps
        answering to its first request, so submitting that again does not make another job. A job that pauses for review
        does so again, for the new languages.

        Args:
            job_id: A job that has ended or waits for a review.
            languages: BCP-47.
            admission: Asked before the job is queued.

        Raises:
            DubflowError: `not_found`; `conflict` where the job is at work; `invalid_request`; what `admission` raises.
        """

        def add(transition: Transition) -> None:
            known = transition.languages
            added = [language for language in dict.fromkeys(languages) if language not in known]
            if not added:
                return
            require_idle(transition, "extended")
            _require_storable(*added)
            admit(transition, admission)
            transition.set(target_languages=to_json([*known, *added]))
            if transition["review"]:
                transition.set(review=Review.WANTED.value)  # nobody has read the new languages
            add_outputs(transition, added)
            queue(transition, progress=0.0)

        return self._changed(job_id, add)

    def cancel(self, job_id: str) -> Job:
        """Stop a job for good; from here on its worker's writes change nothing.

        Raises:
            DubflowError: `not_found`; `conflict` where the job has completed or failed.
        """

        def cancel(transition: Transition) -> None:
            if transition.status is JobStatus.CANCELLED:
                return
            if transition.status.terminal:
                raise DubflowError(
                    ErrorCode.CONFLICT, f"job {job_id} has {transition.status} and cannot be cancelled any more"
                )
            failure = Failure(ErrorCode.CANCELLED, "the job was cancelled")
            transition.connection.execute(delete(leases).where(leases.c.job_id == job_id))
            forgive_running(transition)
            end_open_outputs(transition, failure)
            transition.move(JobStatus.CANCELLED, failure, fence=transition["fence"] + 1)

        return self._changed(job_id, cancel)

    def delete(self, job_id: str) -> None:
        """Remove a job at rest with everything that the ledger knows of it, but for a note that its files are to go.

        Raises:
            DubflowError: `not_found`; `conflict` where the job is at work.
        """
        asked = False

        def remove(transition: Transition) -> None:
            nonlocal asked
            require_idle(transition, "deleted")
            asked = True
            note_removal(transition)
            transition.connection.execute(delete(jobs).where(jobs.c.id == job_id))

        try:
            self._change(job_id, remove)
        except DubflowError as error:
            if not asked or error.code is not ErrorCode.NOT_FOUND:
                raise


def _identity(request: JobRequest) -> str:
    return digest(
        request.tenant,
        request.source_uri,
        request.source_version,
        request.source_language,
        sorted(request.target_languages),
        request.options,
        request.destination,
        request.stem,
    )


def _columns(request: JobRequest) -> dict[str, Any]:
    if not request.target_languages or len(set(request.target_languages)) < len(request.target_languages):
        raise DubflowError(ErrorCode.INVALID_REQUEST, "give target languages, each of them once")
    values = {
        "tenant": request.tenant,
        "batch": request.batch,
        "source_uri": request.source_uri,
        "source_version": request.source_version,
        "source_language": request.source_language,
        "destination": request.destination,
        "stem": request.stem,
        "name": request.name or None,
        "user_id": request.user_id or None,
        "webhook_url": request.webhook_url or None,
        "key_id": request.key_id or None,
    }
    _require_storable(*request.target_languages, *(text for text in values.values() if text is not None))
    return {
        **values,
        "priority": int(request.priority),
        "target_languages": to_json(request.target_languages),
        "options": to_json(request.options),
        "review": Review.WANTED.value if request.review else None,
        "consent": request.consent,
    }


def _require_storable(*texts: str) -> None:
    for text in texts:
        if storable(text) != text:
            raise DubflowError(
                ErrorCode.INVALID_REQUEST, f"{text!r} has characters that no database stores; percent-encode or rename"
            )


def _submit(connection: Connection, identity: str, values: dict[str, Any], admission: Admission | None) -> Job:
    known = connection.execute(select(jobs).where(jobs.c.identity == identity).with_for_update()).mappings()
    if (row := known.one_or_none()) is not None:
        _take_over(connection, row["id"], row["status"], values["batch"], max(row["priority"], values["priority"]))
        return _read(connection, row["id"])
    insert_if_absent(connection, tenants, {"id": values["tenant"], "turn": 0})
    if admission is not None:
        ask(connection, values["tenant"], admission)
    created = _new_job(identity, values)
    if not insert_if_absent(connection, jobs, created):
        return _submit(connection, identity, values, admission)  # somebody was quicker
    job_id = created["id"]
    status = {"status": JobStatus.UPLOADED.value, "attempt": 0, "progress": 0.0, "failure": None}
    connection.execute(
        insert(events).values(job_id=job_id, seq=1, at=Now(), kind=EventKind.JOB.value, data=to_json(status))
    )
    announce(connection, job_id)
    return _read(connection, job_id)


def _new_job(identity: str, values: dict[str, Any]) -> dict[str, Any]:
    return {
        **values,
        "id": uuid4().hex,
        "identity": identity,
        "status": JobStatus.UPLOADED.value,
        "attempt": 0,
        "fence": 0,
        "progress": 0.0,
        "dead_letter": False,
        "warnings": "[]",
        "seq": 1,
        "created_at": Now(),
        "updated_at": Now(),
        "queued_at": Now(),
        "not_before": 0.0,
        "worked_at": 0.0,
    }


def _take_over(connection: Connection, job_id: str, status: str, batch: str, priority: int) -> None:
    if JobStatus(status) in _ACTIVE:
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(batch=batch, priority=priority))


def _read(connection: Connection, job_id: str) -> Job:
    return job_of(connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().one())
