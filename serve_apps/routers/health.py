"""Probes, for everybody and without a key."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from serve_apps.health import OK, Readiness

router = APIRouter(tags=["health"])


@router.get("/livez", summary="The process answers")
async def livez() -> dict[str, str]:
    """Looks at nothing else: a database that is down must not have all replicas restarted."""
    return {"status": OK}


@router.get("/readyz", summary="The service can take work", responses={503: {"description": "Not now"}})
@router.get("/health", include_in_schema=False)
async def readyz(request: Request, verbose: str | None = None) -> JSONResponse:
    """Looks at the database, the blob store and the disk; `?verbose` tells which of them is not well."""
    readiness: Readiness = request.app.state.readiness
    checks = await readiness.look()
    ready = all(state == OK for state in checks.values())
    answer: dict[str, object] = {"status": OK if ready else "unavailable"}
    if verbose is not None:
        answer["checks"] = checks
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse(answer, status, {"Cache-Control": "no-store"})
