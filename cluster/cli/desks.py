"""Where jobs are asked about: the ledger's database itself, or a running service. Commands need not know which."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from cluster.cli.service_client import ServiceClient, connect
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Job, JobStatus, StageState
from cluster.settings import Settings


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job in a list. `document` is all that is known of it, as JSON."""

    id: str
    status: str
    progress: float
    created_at: float
    target_languages: Sequence[str]
    name: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class JobSheet:
    """All about a job.

    Attributes:
        line: As it is in a list; its document has the rest too.
        attempt: How often it was begun.
        stages: Stage, language, status, parts and seconds, as texts.
        outputs: Language, type and place of each file.
        remarks: What it is about, code and message: failures of languages, warnings, and the error of the job.
    """

    line: JobLine
    attempt: int
    stages: Sequence[tuple[str, str, str, str, str]] = ()
    outputs: Sequence[tuple[str, str, str]] = ()
    remarks: Sequence[tuple[str, str, str]] = ()


class Desk(Protocol):
    """What commands ask about jobs; all of it raises DubflowError."""

    def jobs(self, status: JobStatus | None, limit: int) -> list[JobLine]:
        """Jobs, newest first."""
        ...

    def job(self, job_id: str) -> JobSheet:
        """One job."""
        ...

    def retry(self, job_id: str) -> JobLine:
        """Put a job back into the queue."""
        ...


@contextmanager
def service_or_ledger(server: str | None, settings: Settings) -> Iterator[ServiceClient | Ledger]:
    """The service, where one is named by the option or the settings; else the ledger of the settings."""
    if server or settings.service_url:
        with connect(server) as client:
            yield client
        return
    ledger = Ledger(settings.database)
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def open_desk(server: str | None) -> Iterator[Desk]:
    """Where the commands ask about jobs: see `service_or_ledger`."""
    with service_or_ledger(server, Settings()) as where:
        yield ServiceDesk(where) if isinstance(where, ServiceClient) else LedgerDesk(where)


class LedgerDesk:
    """The database itself."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def jobs(self, status: JobStatus | None, limit: int) -> list[JobLine]:
        """See Desk."""
        return [_line_of(job) for job in self._ledger.jobs(status=status, limit=limit).jobs]

    def job(self, job_id: str) -> JobSheet:
        """See Desk."""
        job, stages, outputs = self._ledger.job(job_id), self._ledger.stages(job_id), self._ledger.outputs(job_id)
        document = {"stages": [asdict(stage) for stage in stages], "outputs": [asdict(one) for one in outputs]}
        failed = [(one.language, one.failure) for one in outputs if one.failure]
        if job.failure:
            failed.append(("error", job.failure))
        return JobSheet(
            line=_line_of(job, document),
            attempt=job.attempt,
            stages=[_stage_row(stage) for stage in stages],
            outputs=[(one.language, kind, uri) for one in outputs for kind, uri in one.files.items()],
            remarks=[
                *(("warning", code, message) for code, message in job.warnings),
                *((what, failure.code.value, failure.message) for what, failure in failed),
            ],
        )

    def retry(self, job_id: str) -> JobLine:
        """See Desk."""
        return _line_of(self._ledger.requeue(job_id))


class ServiceDesk:
    """A running service."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def jobs(self, status: JobStatus | None, limit: int) -> list[JobLine]:
        """See Desk."""
        found: list[JobLine] = []
        cursor: str | None = None
        while len(found) < limit:
            page = self._client.get("/jobs", status=status, limit=min(limit - len(found), 100), cursor=cursor)
            found += [_line_from(item) for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return found

    def job(self, job_id: str) -> JobSheet:
        """See Desk."""
        document = self._client.get(f"/jobs/{job_id}/status")
        failed = [(one["language"], one["error"]) for one in document["outputs"] if one["error"]]
        if document["error"]:
            failed.append(("error", document["error"]))
        return JobSheet(
            line=_line_from(document),
            attempt=document["attempt"],
            stages=[row for stage in document["stages"] for row in _stage_rows_from(stage)],
            outputs=[
                (one["language"], file["type"], file["filename"])
                for one in document["outputs"]
                for file in one["files"]
            ],
            remarks=[
                *(("warning", one["code"], one["message"]) for one in document["warnings"]),
                *((what, failure["code"], failure["message"]) for what, failure in failed),
            ],
        )

    def retry(self, job_id: str) -> JobLine:
        """See Desk."""
        self._client.post(f"/jobs/{job_id}/retry")
        return self.job(job_id).line


def _line_of(job: Job, more: dict[str, Any] | None = None) -> JobLine:
    request = job.request
    document = {**asdict(job), **(more or {})}
    name = request.name or request.source_uri
    return JobLine(job.id, job.status, job.progress, job.created_at, request.target_languages, name, document)


def _stage_row(stage: StageState) -> tuple[str, str, str, str, str]:
    parts = f"{stage.done}/{stage.expected or '?'}"
    return stage.stage, stage.language or "-", stage.status, parts, f"{stage.seconds:.1f}"


def _line_from(document: dict[str, Any]) -> JobLine:
    return JobLine(
        id=document["job_id"],
        status=document["status"],
        progress=document["progress"],
        created_at=datetime.fromisoformat(document["created_at"]).timestamp(),
        target_languages=document["target_languages"],
        name=document["name"],
        document=document,
    )


def _stage_rows_from(stage: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    def row(one: dict[str, Any], language: str, seconds: str) -> tuple[str, str, str, str, str]:
        return stage["name"], language, one["status"], f"{one['progress']:.0f} %", seconds

    if stage["languages"]:
        return [row(one, one["language"], "-") for one in stage["languages"]]
    return [row(stage, "-", f"{stage['seconds']:.1f}")]
