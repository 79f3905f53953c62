"""What receivers of webhooks verify them with."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict

from serve_apps.authentication import Caller, writer
from serve_apps.services import ServicesDep

router = APIRouter(prefix="/webhook-secret", tags=["webhooks"])


class WebhookSecret(BaseModel):
    """The secret of a tenant."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfTh4mBVZM="}]},
    )

    secret: str
    """For any library of Standard Webhooks; signs `{webhook-id}.{webhook-timestamp}.{body}`."""


@router.get("", operation_id="webhook_secret", summary="What verifies webhooks")
def show(response: Response, caller: Annotated[Caller, Depends(writer)], services: ServicesDep) -> WebhookSecret:
    """All messages to `webhook_url` of your jobs are signed with it; an operator can rotate it."""
    response.headers["Cache-Control"] = "no-store"
    return WebhookSecret(secret=services.ledger.webhook_secrets(caller.tenant)[0])
