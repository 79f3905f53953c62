"""What requests and answers look like: the promised formats, for OpenAPI too."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from cluster.errors import ErrorCode
from cluster.ledger.records import JobStatus, Stage, StageStatus
from serve_apps.options import JobOptions, WebhookUrl

_JOB_ID = "4f0c1f0a6f5e4b0f9d2c7a1b3e5d7f90"
_MAX_URI = 2000
_MAX_USER = 200

UserId = Annotated[str, Field(max_length=_MAX_USER)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


class FieldError(_Model):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(_Model):
    """An error (RFC 9457). docs/errors.md explains every code."""

    model_config = _example(
        type="urn:dubflow:error:unsupported_language",
        title="Unsupported language",
        status=422,
        detail="there is no language 'Spansh'; did you mean es? GET /api/v1/languages lists all",
        instance="/api/v1/upload",
        code="unsupported_language",
        retryable=False,
        request_id="f3b1c2d4e5f60718293a4b5c6d7e8f90",
        errors=[{"field": "target_languages", "message": "there is no language 'Spansh'"}],
    )

    type: str
    title: str
    status: int
    detail: str
    """What happened and what to do."""
    instance: str
    code: ErrorCode
    retryable: bool
    """The same request may succeed later on."""
    request_id: str
    """To quote to the service's operator."""
    errors: list[FieldError]


class Source(BaseModel):
    """Either of the two."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    upload_id: Annotated[str, Field(max_length=64)] | None = None
    """Of a finished upload."""
    uri: Annotated[str, Field(max_length=_MAX_URI)] | None = None
    """`s3://bucket/key`, below a prefix that you may read."""


class JobOrder(BaseModel):
    """A job on a source that is there already."""

    model_config = ConfigDict(
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "source": {"uri": "s3://videos/talks/monday.mp4"},
                    "source_language": "auto",
                    "target_languages": ["es", "pt-BR"],
                }
            ]
        },
    )

    source: Source
    target_languages: Annotated[list[Annotated[str, Field(max_length=200)]], Field(min_length=1, max_length=200)]
    """Tags such as `es` or `pt-BR`, or English names."""
    source_language: Annotated[str, Field(max_length=200)] = "auto"
    """`auto` detects it."""
    options: JobOptions = JobOptions()
    webhook_url: WebhookUrl | None = None
    """As in the options."""
    review: bool = False
    """As in the options."""
    user_id: UserId = ""
    """Whom of your people it is for."""


class UploadFields(BaseModel):
    """The plain fields of `POST /upload`."""

    model_config = ConfigDict(extra="forbid")

    target_language: Annotated[list[Annotated[str, Field(max_length=2000)]], Field(min_length=1, max_length=200)]
    source_language: Annotated[str, Field(max_length=200)] = "auto"
    user_id: UserId = ""
    options: str = ""


class Accepted(_Model):
    """A job that is not going to be lost."""

    model_config = _example(
        job_id=_JOB_ID,
        status="uploaded",
        message="monday.mp4 is waiting to be dubbed into Spanish",
        status_url=f"/api/v1/jobs/{_JOB_ID}/status",
        progress_url=f"/api/v1/jobs/{_JOB_ID}/progress",
    )

    job_id: str
    status: JobStatus
    message: str
    status_url: str
    """Relative to the service's address."""
    progress_url: str
    """WebSocket, relative to the service's address."""


class Fault(_Model):
    """Why a job or an output failed."""

    code: ErrorCode
    message: str
    stage: Stage | None
    retryable: bool


class Warned(_Model):
    """Something about the result that one should know."""

    code: str
    message: str


class LanguageStage(_Model):
    """How far a stage is in one language."""

    language: str
    status: StageStatus
    progress: float


class StageView(_Model):
    """How far one of the eleven stages is."""

    name: Stage
    percent: int
    """Progress of the job once this stage and all before it are over."""
    status: StageStatus
    progress: float
    """0 to 100, of this stage."""
    seconds: float
    """Running time, summed over its parts."""
    started_at: datetime | None
    finished_at: datetime | None
    languages: list[LanguageStage]
    """Where the stage runs once a language."""


class FileView(_Model):
    """A finished file."""

    type: str
    """`video` or `audio`, `srt`, `vtt`, `script`."""
    filename: str
    download_url: str
    """Relative to the service's address; add `&redirect=1` for the file itself."""


class OutputView(_Model):
    """One language of a job."""

    language: str
    status: StageStatus
    files: list[FileView]
    report: dict[str, Any] | None
    error: Fault | None


class JobSummary(_Model):
    """A job in a list."""

    job_id: str
    status: JobStatus
    progress: float
    """0 to 100; never falls within an attempt."""
    name: str
    source_language: str | None
    """None where it is to be detected."""
    target_languages: list[str]
    user_id: str | None
    media_seconds: float | None
    created_at: datetime
    updated_at: datetime
    error: Fault | None


class JobStatusView(JobSummary):
    """All about a job."""

    model_config = _example(
        job_id=_JOB_ID,
        status="processing",
        progress=62.5,
        name="monday.mp4",
        source_language="en",
        target_languages=["es"],
        user_id=None,
        media_seconds=612.4,
        created_at="2026-11-21T09:00:00Z",
        updated_at="2026-11-21T09:03:10Z",
        error=None,
        current_stage="synthesis",
        stages=[
            {
                "name": "synthesis",
                "percent": 75,
                "status": "running",
                "progress": 16.7,
                "seconds": 21.4,
                "started_at": "2026-11-21T09:02:30Z",
                "finished_at": None,
                "languages": [{"language": "es", "status": "running", "progress": 16.7}],
            }
        ],
        outputs=[{"language": "es", "status": "pending", "files": [], "report": None, "error": None}],
        attempt=1,
        review=False,
        reviewed=False,
        warnings=[],
        estimated_completion="2026-11-21T09:04:40Z",
        jobs_ahead=None,
        error_message=None,
        seq=48,
    )

    current_stage: Stage | None
    """The first stage that is not over; None where no work is going on."""
    stages: list[StageView]
    outputs: list[OutputView]
    attempt: int
    review: bool
    reviewed: bool
    warnings: list[Warned]
    estimated_completion: datetime | None
    """Learned from past jobs and this one's pace; None where there is nothing to tell by."""
    jobs_ahead: int | None
    """While it waits: how many jobs come before it."""
    error_message: str | None
    seq: int
    """Of the latest event; watchers go on after it."""


class JobPage(_Model):
    """Some jobs, newest first."""

    items: list[JobSummary]
    next_cursor: str | None
    """Asks for those that follow; None where there are none."""


class LanguageView(_Model):
    """A language that the service offers."""

    model_config = _example(
        code="es", name="Spanish", native_name="español", source=True, target=True, voice_cloning=False
    )

    code: str
    name: str
    native_name: str
    source: bool
    target: bool
    voice_cloning: bool


class LanguageList(_Model):
    """All languages, by code; empty until the flow has started once."""

    items: list[LanguageView]


class Limits(_Model):
    """What the service takes, and how much of it the caller may ask for; 0 is no limit."""

    max_upload_bytes: int
    """Of `POST /upload`."""
    max_source_bytes: int
    max_source_seconds: float
    max_pixels: int
    max_streams: int
    max_target_languages: int
    max_speakers: int
    max_glossary_terms: int
    file_types: list[str]
    """Extensions of files."""
    requests_per_minute: int
    """Of one API key."""
    concurrent_jobs: int
    """Of one tenant, waiting or running."""
    media_minutes_per_day: float
    """Of one tenant; days are UTC."""
