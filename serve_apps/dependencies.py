"""What routes ask for, by type: `caller: CallerDep, services: ServicesDep, job: JobDep`."""

from typing import Annotated

from fastapi import Depends, Path

from cluster.ledger.records import Job
from serve_apps.authentication import Caller, caller
from serve_apps.ids import require_job_id
from serve_apps.services import Services, ServicesDep, services

CallerDep = Annotated[Caller, Depends(caller)]
JobId = Annotated[str, Path(description="Of the job.", min_length=1, max_length=200)]


def owned_job(job_id: JobId, caller: CallerDep, services: ServicesDep) -> Job:
    """The caller's job of that id; somebody else's is as unknown as one that never was."""
    return services.ledger.job(require_job_id(job_id), caller.tenant)


JobDep = Annotated[Job, Depends(owned_job)]

__all__ = ["Caller", "CallerDep", "JobDep", "JobId", "Services", "ServicesDep", "require_job_id", "services"]
