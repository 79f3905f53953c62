"""Who calls, and whether they may."""

from dataclasses import dataclass, field
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import Depends, WebSocket, WebSocketException, status
from starlette.requests import HTTPConnection

from cluster.accounts.rates import Rate
from cluster.accounts.records import Holder, Limits, Scope
from cluster.errors import DubflowError, ErrorCode, RateLimitedError
from serve_apps.ids import require_job_id
from serve_apps.origins import is_foreign_page, is_local, is_own_page, network_of
from serve_apps.problems import ProblemError
from serve_apps.services import Services, services

SCOPES = frozenset(Scope)
COOKIE = "dubflow_session"
OPEN_TENANT = "default"
"""Whose jobs those are that somebody on this machine makes while no key exists."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORBIDDEN = 403
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request.

    Attributes:
        tenant: Whose jobs they see.
        key_id: The API key they showed; None where the service asks for none.
        scopes: What they may do.
        user: Name to show, empty where nothing is known.
        limits: How much they may use.
    """

    tenant: str
    key_id: str | None
    scopes: frozenset[str]
    user: str = ""
    limits: Limits = field(default_factory=Limits)


def caller(connection: HTTPConnection) -> Caller:
    """The caller of a request: reading asks for `jobs:read`, everything else for `jobs:write`.

    Raises:
        DubflowError: `unauthorized`, 401 or 403; `rate_limited`.
    """
    return _allowed(connection, Scope.READ if connection.scope["method"] in _SAFE_METHODS else Scope.WRITE)


def reader(connection: HTTPConnection) -> Caller:
    """The caller of a request that changes nothing, whatever its method.

    Raises:
        DubflowError: `unauthorized`, 401 or 403; `rate_limited`.
    """
    return _allowed(connection, Scope.READ)


def writer(connection: HTTPConnection) -> Caller:
    """The caller of a request that reads what only those need who make jobs.

    Raises:
        DubflowError: `unauthorized`, 401 or 403; `rate_limited`.
    """
    return _allowed(connection, Scope.WRITE)


def guard(connection: HTTPConnection) -> None:
    """For whole routers: nobody without a good key comes to a route, also where it does not ask who calls.

    WebSockets answer otherwise than with a problem: their routes ask for `socket_caller`.
    """
    if connection.scope["type"] == "http":
        authenticate(connection)


def authenticate(connection: HTTPConnection) -> Caller:
    """The caller of a request, found once however many ask; each request counts once too.

    Raises:
        DubflowError: `unauthorized`; `rate_limited`.
    """
    known: Caller | DubflowError | None = getattr(connection.state, "authenticated", None)
    if known is None:
        try:
            known = _identified(connection, services(connection))
        except DubflowError as error:
            known = error
        connection.state.authenticated = known
    if isinstance(known, DubflowError):
        raise known
    return known


def log_in(connection: HTTPConnection, key: str) -> Holder:
    """Who shows a key; wrong ones from one address are limited, right ones from there are not.

    Raises:
        DubflowError: `unauthorized`; `rate_limited`.
    """
    found = services(connection)
    holder = found.identities.of_key(key)
    if holder is not None:
        return holder
    limit = Rate(found.settings.failed_logins_per_minute, _MINUTE)
    verdict = found.accounts.rates.spend(f"wrong keys {network_of(connection)}", limit)
    if not verdict.allowed:
        raise RateLimitedError("too many wrong keys from this address; wait before the next", verdict.retry_after)
    raise DubflowError(ErrorCode.UNAUTHORIZED, "this key is unknown, expired or revoked; ask the operator for another")


async def socket_caller(websocket: WebSocket, job_id: str) -> Caller:
    """Who opens a WebSocket for a job: by a key in a header, a session's cookie, or `?ticket=`.

    Others are refused before the connection is accepted, with close code 1008: pages of others, whoever may not read,
    and everybody for jobs that are not theirs or do not exist.
    """
    try:
        return await run_sync(_socket_caller, websocket, job_id)
    except RateLimitedError as error:
        raise WebSocketException(status.WS_1013_TRY_AGAIN_LATER, error.message) from error
    except DubflowError as error:
        if error.retryable:
            raise WebSocketException(status.WS_1011_INTERNAL_ERROR, error.code.value) from error
        raise WebSocketException(status.WS_1008_POLICY_VIOLATION, error.code.value) from error


async def still_allowed(connection: HTTPConnection, known: Caller) -> bool:
    """Tell whether the caller of a long connection would still be let in; ask once a minute."""
    identities = services(connection).identities
    if known.key_id is None:
        return await run_sync(identities.none_exists)
    return await run_sync(identities.of_key_id, known.key_id) is not None


def _allowed(connection: HTTPConnection, scope: Scope) -> Caller:
    found = authenticate(connection)
    _require_scope(found, scope)
    return found


def _identified(connection: HTTPConnection, found: Services) -> Caller:
    if (key := _header_key(connection)) is not None:
        return _counted(connection, log_in(connection, key))
    if (holder := _session_holder(connection, found)) is not None:
        allowed = found.settings.allowed_origins
        if connection.scope.get("method") not in _SAFE_METHODS and not is_own_page(connection, allowed):
            raise _forbidden("a browser's session is for this service's own pages; other programs show a key")
        return _counted(connection, holder)
    return _anybody(connection, found)


def _socket_caller(websocket: WebSocket, job_id: str) -> Caller:
    found = services(websocket)
    if is_foreign_page(websocket, found.settings.allowed_origins):
        raise _forbidden("somebody else's page opens this connection")
    require_job_id(job_id)
    ticket = websocket.query_params.get("ticket")
    known = _identified(websocket, found) if ticket is None else _ticket_holder(websocket, found, ticket, job_id)
    _require_scope(known, Scope.READ)
    found.ledger.job(job_id, known.tenant)
    return known


def _ticket_holder(websocket: WebSocket, found: Services, ticket: str, job_id: str) -> Caller:
    key_id = found.accounts.redeem_ticket(ticket, job_id)
    if key_id is None:
        raise DubflowError(ErrorCode.UNAUTHORIZED, "this ticket was used, is too old or for another job")
    if not key_id:
        return _anybody(websocket, found)
    holder = found.identities.of_key_id(key_id)
    if holder is None:
        raise DubflowError(ErrorCode.UNAUTHORIZED, "the key of this ticket is not good any more")
    return _counted(websocket, holder)


def _header_key(connection: HTTPConnection) -> str | None:
    scheme, _, credentials = connection.headers.get("authorization", "").partition(" ")
    if scheme:
        return credentials.strip() if scheme.lower() == "bearer" else ""
    return connection.headers.get("x-api-key")


def _session_holder(connection: HTTPConnection, found: Services) -> Holder | None:
    token = connection.cookies.get(COOKIE)
    return found.identities.of_session(token) if token else None


def _anybody(connection: HTTPConnection, found: Services) -> Caller:
    """A caller without a key: let in on this machine while no key exists, and not through others' pages."""
    if not found.identities.none_exists():
        raise DubflowError(ErrorCode.UNAUTHORIZED, "show an API key: Authorization: Bearer KEY")
    if not is_local(connection):
        raise DubflowError(ErrorCode.UNAUTHORIZED, "without a key only this machine may call; run: dubflow keys create")
    if is_foreign_page(connection, found.settings.allowed_origins):
        raise _forbidden("somebody else's page makes this request")
    return Caller(OPEN_TENANT, None, SCOPES)


def _counted(connection: HTTPConnection, holder: Holder) -> Caller:
    most = holder.limits.requests_per_minute
    if most:
        rate = Rate(most, _MINUTE)
        verdict = services(connection).accounts.rates.spend(f"requests {holder.key.id}", rate)
        connection.state.rate = rate, verdict
        if not verdict.allowed:
            raise RateLimitedError(f"more than {most} requests in a minute; slow down", verdict.retry_after)
    return Caller(holder.key.tenant, holder.key.id, holder.key.scopes, holder.key.name, holder.limits)


def _require_scope(known: Caller, scope: Scope) -> None:
    if scope not in known.scopes:
        raise ProblemError(
            ErrorCode.UNAUTHORIZED,
            f"this key has not the scope {scope}",
            status=_FORBIDDEN,
            headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
        )


def _forbidden(message: str) -> ProblemError:
    return ProblemError(ErrorCode.UNAUTHORIZED, message, status=_FORBIDDEN)


SocketCallerDep = Annotated[Caller, Depends(socket_caller)]
