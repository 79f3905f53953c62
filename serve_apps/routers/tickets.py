"""How a page opens a WebSocket where it has no cookie to show."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from cluster.accounts.tickets import TICKET_SECONDS
from serve_apps.authentication import Caller, reader
from serve_apps.dependencies import JobId
from serve_apps.ids import require_job_id
from serve_apps.services import ServicesDep

router = APIRouter(prefix="/jobs", tags=["progress"])


class Ticket(BaseModel):
    """What `WS /jobs/{id}/progress?ticket=` asks for."""

    ticket: str
    expires_in: Annotated[float, Field(description="Seconds in which it has to be used")]


@router.post("/{job_id}/ticket", summary="Let a browser open the job's WebSocket")
def make_ticket(
    job_id: JobId, response: Response, caller: Annotated[Caller, Depends(reader)], services: ServicesDep
) -> Ticket:
    """A ticket is good once, for this job, for half a minute."""
    services.ledger.job(require_job_id(job_id), caller.tenant)
    response.headers["Cache-Control"] = "no-store"
    return Ticket(ticket=services.accounts.issue_ticket(caller.key_id or "", job_id), expires_in=TICKET_SECONDS)
