"""Jobs as the outside sees them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urlencode, urlsplit

from cluster.errors import RETRYABLE
from cluster.keys import digest
from cluster.ledger.experience import Outlook
from cluster.ledger.records import (
    Failure,
    Job,
    JobStatus,
    Output,
    Snapshot,
    Stage,
    StageState,
    StageStatus,
)
from serve_apps.models import (
    Fault,
    FileView,
    JobStatusView,
    JobSummary,
    LanguageStage,
    OutputView,
    StageView,
    Warned,
)

API = "/api/v1"


def job_url(job_id: str, what: str = "status") -> str:
    """A job's address, relative to the service's."""
    return f"{API}/jobs/{job_id}/{what}"


def job_status(snapshot: Snapshot, outlook: Outlook) -> JobStatusView:
    """All about a job, as `GET /status` gives it and as watchers begin with it.

    Args:
        snapshot: The job with its stages and outputs.
        outlook: What is ahead of it.
    """
    job = snapshot.job
    stages = [_stage(stage, [one for one in snapshot.stages if one.stage is stage]) for stage in Stage]
    return JobStatusView(
        **dict(job_summary(job)),
        current_stage=_current(job, stages),
        stages=stages,
        outputs=[_output(job, output) for output in snapshot.outputs],
        attempt=job.attempt,
        review=job.request.review,
        reviewed=job.reviewed,
        warnings=[Warned(code=code, message=message) for code, message in job.warnings],
        estimated_completion=_time(outlook.completion),
        jobs_ahead=outlook.ahead,
        error_message=job.failure.message if job.failure else None,
        seq=job.seq,
    )


def job_summary(job: Job) -> JobSummary:
    """A job as lists show it."""
    request = job.request
    return JobSummary(
        job_id=job.id,
        status=job.status,
        progress=job.progress,
        name=request.name or unquote(urlsplit(request.source_uri).path.rpartition("/")[2]),
        source_language=request.source_language,
        target_languages=list(request.target_languages),
        user_id=request.user_id or None,
        media_seconds=job.media_seconds,
        created_at=datetime.fromtimestamp(job.created_at, UTC),
        updated_at=datetime.fromtimestamp(job.updated_at, UTC),
        error=_fault(job.failure),
    )


def job_etag(job: Job) -> str:
    """Changes with everything that a worker or a person does to the job."""
    return f'W/"{digest(job.id, job.seq, job.updated_at)}"'


def file_name(job: Job, language: str, uri: str) -> str:
    """What a finished file is called when it is saved: like its source, with the language."""
    finished = PurePosixPath(unquote(urlsplit(uri).path))
    if not job.request.name:
        return finished.name
    return f"{PurePosixPath(job.request.name).stem}.{language}{finished.suffix}"


def _stage(stage: Stage, states: Iterable[StageState]) -> StageView:
    known = list(states)
    progress = sum(_share(one) for one in known) / len(known)
    started = [one.started_at for one in known if one.started_at is not None]
    finished = [one.finished_at for one in known if one.finished_at is not None]
    status = _merged({one.status for one in known})
    return StageView(
        name=stage,
        percent=stage.percent,
        status=status,
        progress=round(100 * progress, 2),
        seconds=round(sum(one.seconds for one in known), 3),
        started_at=_time(min(started, default=None)),
        finished_at=_time(max(finished, default=None)) if status.terminal else None,
        languages=[
            LanguageStage(language=one.language, status=one.status, progress=round(100 * _share(one), 2))
            for one in known
            if one.language
        ],
    )


def _merged(statuses: set[StageStatus]) -> StageStatus:
    """One status for all languages: failed only where none of them came through."""
    if len(statuses) == 1:
        return next(iter(statuses))
    if statuses <= {StageStatus.COMPLETED, StageStatus.FAILED}:
        return StageStatus.COMPLETED
    return StageStatus.RUNNING


def _share(state: StageState) -> float:
    if state.status.terminal:
        return 1.0
    return (state.done + state.failed) / state.expected if state.expected else 0.0


def _current(job: Job, stages: Iterable[StageView]) -> Stage | None:
    if job.status is JobStatus.FAILED:
        return job.failure.stage if job.failure else None
    if job.status.idle or job.status is JobStatus.UPLOADED:
        return None
    return next((stage.name for stage in stages if not stage.status.terminal), None)


def _output(job: Job, output: Output) -> OutputView:
    return OutputView(
        language=output.language,
        status=output.status,
        files=[_file(job, output.language, kind, uri) for kind, uri in output.files.items()],
        report=output.report or None,
        error=_fault(output.failure),
    )


def _file(job: Job, language: str, kind: str, uri: str) -> FileView:
    asked = urlencode({"language": language, "type": kind}, quote_via=quote)
    return FileView(
        type=kind,
        filename=file_name(job, language, uri),
        download_url=f"{job_url(job.id, 'download')}?{asked}",
    )


def _fault(failure: Failure | None) -> Fault | None:
    if failure is None:
        return None
    return Fault(code=failure.code, message=failure.message, stage=failure.stage, retryable=failure.code in RETRYABLE)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
