"""Looking back on how a job went."""

from typing import Any

from fastapi import APIRouter

from serve_apps.chrome_trace import chrome_trace
from serve_apps.dependencies import JobDep, ServicesDep

router = APIRouter(prefix="/jobs", tags=["progress"])


@router.get("/{job_id}/trace", operation_id="job_trace", summary="A job's timeline, as a Chrome trace")
def trace(job: JobDep, services: ServicesDep) -> dict[str, Any]:
    """When each stage and part ran, in every language: save it, and open it in Perfetto or `chrome://tracing`."""
    return chrome_trace(services.ledger.timeline(job.id))
