"""Jobs: made, looked at, stopped, tried again and removed."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from cluster.accounts.quotas import admission
from cluster.errors import DubflowError
from cluster.ledger.records import JobStatus
from cluster.removal import finish_removal, remove_job
from serve_apps.answers import accepted, no_content
from serve_apps.authentication import Caller
from serve_apps.dependencies import CallerDep, JobDep, JobId, ServicesDep, require_job_id
from serve_apps.languages import choose_source, choose_targets
from serve_apps.models import Accepted, JobOrder, JobPage, JobStatusView
from serve_apps.services import Services
from serve_apps.sources import named_source
from serve_apps.submission import Order, submit
from serve_apps.views import job_etag, job_status, job_summary

router = APIRouter(prefix="/jobs", tags=["jobs"])

MAX_PAGE = 200
_POLL_SECONDS = "2"


@router.post("", status_code=HTTPStatus.ACCEPTED, operation_id="create_job", summary="Dub a source that is there")
def create_job(order: JobOrder, response: Response, caller: CallerDep, services: ServicesDep) -> Accepted:
    """Takes an upload or an object of S3; the same order again answers with the same job."""
    return accepted(response, submit(services, caller, _checked(order, caller, services)))


@router.get("", operation_id="list_jobs", summary="List jobs, newest first")
def list_jobs(
    caller: CallerDep,
    services: ServicesDep,
    status: Annotated[JobStatus | None, Query(description="Only these.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=40, description="`next_cursor` of the page before.")] = None,
) -> JobPage:
    """A cursor stays good while jobs come, change and go."""
    page = services.ledger.jobs(tenant=caller.tenant, status=status, limit=limit, cursor=cursor)
    return JobPage(items=[job_summary(job) for job in page.jobs], next_cursor=page.cursor)


@router.get(
    "/{job_id}/status",
    operation_id="job_status",
    summary="How far a job is",
    responses={304: {"description": "Nothing has changed since the answer with that ETag."}},
    response_model=JobStatusView,
)
def status(request: Request, response: Response, job: JobDep, services: ServicesDep) -> JobStatusView | Response:
    """Send the `ETag` back as `If-None-Match` and ask again after `Retry-After`, or rather watch the events."""
    headers = {"ETag": job_etag(job), "Cache-Control": "private, no-cache"}
    if not job.status.terminal:
        headers["Retry-After"] = _POLL_SECONDS
    if headers["ETag"] in _tags(request.headers.get("if-none-match", "")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    snapshot = services.ledger.snapshot(job.id, job.request.tenant)
    response.headers.update(headers | {"ETag": job_etag(snapshot.job)})
    return job_status(snapshot, services.estimator.outlook(job.id))


@router.post("/{job_id}/cancel", operation_id="cancel_job", summary="Stop a job for good")
def cancel(response: Response, job: JobDep, services: ServicesDep) -> Accepted:
    """What is in work is given up within seconds; a job that is over already is a `conflict`."""
    return accepted(response, services.ledger.cancel(job.id))


@router.post(
    "/{job_id}/retry", status_code=HTTPStatus.ACCEPTED, operation_id="retry_job", summary="Try a finished job again"
)
def retry(response: Response, job: JobDep, caller: CallerDep, services: ServicesDep) -> Accepted:
    """Languages that are completed stay, unless all are; what was made for the others is used again."""
    return accepted(response, services.ledger.requeue(job.id, admission=admission(caller.tenant, caller.limits)))


@router.delete(
    "/{job_id}",
    status_code=HTTPStatus.NO_CONTENT,
    operation_id="delete_job",
    summary="Remove a finished job and all its files",
)
def delete(job_id: JobId, caller: CallerDep, services: ServicesDep) -> Response:
    """Removes the upload, the results and everything that was made on the way, if no other job needs it.

    Cancel a job first that is still running.
    """
    ledger, blobs = services.ledger, services.blobs
    try:
        job = ledger.job(require_job_id(job_id), caller.tenant)
    except DubflowError:
        interrupted = ledger.removal(job_id, caller.tenant)
        if interrupted is None or interrupted.done:
            raise
        finish_removal(ledger, blobs, interrupted)
    else:
        remove_job(ledger, blobs, job)
    return no_content()


def _checked(order: JobOrder, caller: Caller, services: Services) -> Order:
    offered = services.ledger.languages()
    source_language = choose_source(order.source_language, offered)
    targets = choose_targets(order.target_languages, source_language, offered, services.settings.max_target_languages)
    named = order.options.model_copy(
        update={
            "webhook_url": order.webhook_url or order.options.webhook_url,
            "review": order.review or order.options.review,
        }
    )
    source = named_source(services, caller, order.source)
    return Order(source, source.name, source_language, targets, named, order.user_id)


def _tags(header: str) -> set[str]:
    return {tag.strip() for tag in header.split(",")}
