"""Answers that several routes give."""

from http import HTTPStatus
from typing import Any

import langcodes
from fastapi import Response

from cluster.ledger.records import Job, JobStatus
from serve_apps.models import Accepted, Problem
from serve_apps.views import job_url

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description}
    for status, description in (
        ("4XX", "The request cannot be served as it is; `code` and `detail` say why and what to do."),
        ("5XX", "The service has a problem; where `retryable` is true, the same request may succeed later."),
    )
}

_WORDS = {
    JobStatus.UPLOADED: "is waiting to be dubbed into",
    JobStatus.PROCESSING: "is being dubbed into",
    JobStatus.AWAITING_REVIEW: "waits for a review before it is dubbed into",
    JobStatus.COMPLETED: "has been dubbed already into",
}


def accepted(response: Response, job: Job) -> Accepted:
    """202 with where to look next."""
    response.headers["Location"] = job_url(job.id)
    languages = ", ".join(langcodes.Language.get(tag).display_name() for tag in job.request.target_languages)
    return Accepted(
        job_id=job.id,
        status=job.status,
        message=f"{job.request.name or 'the source'} {_WORDS.get(job.status, 'is a job for')} {languages}",
        status_url=job_url(job.id),
        progress_url=job_url(job.id, "progress"),
    )


def no_content() -> Response:
    """204."""
    return Response(status_code=HTTPStatus.NO_CONTENT)
