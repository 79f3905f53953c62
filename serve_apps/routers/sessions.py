"""Browsers log in with a key once and show a cookie from then on, which their scripts cannot read."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response, status
from pydantic import BaseModel, Field, SecretStr

from cluster.accounts.records import Scope
from cluster.errors import ErrorCode
from serve_apps.authentication import COOKIE, Caller, log_in, reader
from serve_apps.origins import is_foreign_page
from serve_apps.problems import ProblemError
from serve_apps.services import Services, ServicesDep

router = APIRouter(prefix="/session", tags=["accounts"])

_DAY = 86400
_FORBIDDEN = 403


class LogIn(BaseModel):
    """A key to log in with."""

    key: Annotated[SecretStr, Field(max_length=200, examples=["dub_0123456789abcdef_..."])]


class Session(BaseModel):
    """Who calls: the tenant whose jobs they see, the name of their key, and what it may do."""

    tenant: str
    name: str
    scopes: list[Scope]
    key_needed: Annotated[bool, Field(description="False where everybody on this machine may call without a key")]


@router.get("", summary="Who calls")
def show_session(caller: Annotated[Caller, Depends(reader)]) -> Session:
    """Tells a page whether it has to ask for a key: without a good one the answer is 401."""
    return _session(caller.tenant, caller.user, caller.scopes, key_needed=caller.key_id is not None)


@router.post("", summary="Log a browser in")
def log_in_browser(wanted: LogIn, request: Request, response: Response, services: ServicesDep) -> Session:
    """Sets a cookie that stands for the key. It ends with the key, after some days, or when the browser logs out."""
    _refuse_others_pages(request, services)
    holder = log_in(request, wanted.key.get_secret_value())
    seconds = int(services.settings.session_days * _DAY)
    response.set_cookie(
        COOKIE,
        services.accounts.open_session(holder.key.id, seconds),
        max_age=seconds,
        path="/",
        secure=_is_encrypted(request),
        httponly=True,
        samesite="strict",
    )
    response.headers["Cache-Control"] = "no-store"
    return _session(holder.key.tenant, holder.key.name, frozenset(holder.key.scopes), key_needed=True)


@router.delete("", summary="Log a browser out", status_code=status.HTTP_204_NO_CONTENT)
def log_out_browser(request: Request, services: ServicesDep) -> Response:
    """Ends the session of the cookie; harmless without one."""
    _refuse_others_pages(request, services)
    if token := request.cookies.get(COOKIE):
        services.accounts.close_session(token)
        services.identities.forget_session(token)
    response = Response(status_code=status.HTTP_204_NO_CONTENT)
    response.delete_cookie(COOKIE, path="/", secure=_is_encrypted(request), httponly=True, samesite="strict")
    return response


def _session(tenant: str, name: str, scopes: frozenset[str], *, key_needed: bool) -> Session:
    return Session(tenant=tenant, name=name, scopes=sorted(Scope(scope) for scope in scopes), key_needed=key_needed)


def _refuse_others_pages(request: Request, services: Services) -> None:
    if is_foreign_page(request, services.settings.allowed_origins):
        raise ProblemError(ErrorCode.UNAUTHORIZED, "somebody else's page makes this request", status=_FORBIDDEN)


def _is_encrypted(request: Request) -> bool:
    # A proxy that ends TLS says so; if somebody else does, they only keep their own cookie from themselves.
    return "https" in {request.url.scheme, request.headers.get("x-forwarded-proto", "").lower()}
