"""`Idempotency-Key`: a POST that is sent again is answered again, and does nothing again."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import uuid4

import anyio
from anyio.to_thread import run_sync
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from cluster.accounts.accounts import Accounts
from cluster.accounts.answers import OWNER_SECONDS, Answer, Turn
from cluster.errors import DubflowError, ErrorCode
from serve_apps import problems
from serve_apps.authentication import authenticate
from serve_apps.fingerprints import FingerprintedBody
from serve_apps.held_answers import HeldAnswer, answered_again
from serve_apps.problems import ProblemError
from serve_apps.services import services

HEADER = "Idempotency-Key"

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_SEED = "idempotency_seed"
_RETRY_SECONDS = "2"


def request_seed(connection: HTTPConnection) -> str:
    """32 hex characters to name what a request makes: the same when the request is sent again after a crash.

    Without an `Idempotency-Key` they are others each time.
    """
    seed: str = getattr(connection.state, _SEED, "") or uuid4().hex
    return seed


class Idempotency:
    """The innermost middleware: it sees what the routes answer before anybody else does.

    A request takes the turn of its key, and only one has it. The last piece of its body is withheld from the route
    until the database knows the body's fingerprint: so whoever takes over after a crash can tell whether what may
    have been done was asked for by the same request. Successful answers are kept before they are sent. After an
    error the turn is given back, and the same request may be tried again.

    Args:
        app: The routes.
        prefix: Where they are.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on what has no key."""
        request = HTTPConnection(scope) if scope["type"] == "http" else None
        if request is None or not self._is_for_us(request):
            await self._app(scope, receive, send)
            return
        try:
            caller = await run_sync(authenticate, request)
        except DubflowError:
            await self._app(scope, receive, send)  # which comes to the same end and says so
            return
        try:
            response = await self._response(request, caller.tenant, receive)
        except DubflowError as error:
            response = problems.respond(request, error)
        await response(scope, receive, send)

    def _is_for_us(self, request: HTTPConnection) -> bool:
        path: str = request.scope["path"]
        return request.scope["method"] == "POST" and HEADER in request.headers and path.startswith(self._prefix)

    async def _response(self, request: HTTPConnection, tenant: str, receive: Receive) -> ASGIApp:
        key = request.headers[HEADER]
        if not _KEY.fullmatch(key):
            raise DubflowError(ErrorCode.INVALID_REQUEST, f"{HEADER} is up to 255 visible ASCII characters")
        accounts = services(request).accounts
        match await run_sync(accounts.take_turn, tenant, key):
            case None:
                raise _in_flight()
            case Answer() as answer:
                await FingerprintedBody(request, receive, _only(answer.fingerprint)).read_through()
                return answered_again(answer)
            case Turn() as turn:
                return await self._first_response(request, receive, accounts, turn)

    async def _first_response(
        self, request: HTTPConnection, receive: Receive, accounts: Accounts, turn: Turn
    ) -> ASGIApp:
        request.scope["state"][_SEED] = turn.seed
        body = FingerprintedBody(request, receive, _fixed(accounts, turn))
        beating = asyncio.create_task(_beat(accounts, turn))
        kept = False
        try:
            await body.begin()
            held = HeldAnswer()
            await self._app(request.scope, body.receive, held.send)
            body.require_accepted()
            if held.may_be_kept:
                answer = held.answer(await body.read_through())
                kept = True
                await run_sync(accounts.keep_answer, turn, answer)
            return held
        finally:
            beating.cancel()
            if not kept:
                with anyio.CancelScope(shield=True):
                    await run_sync(accounts.give_back_turn, turn)


def _only(expected: str) -> Callable[[str], Awaitable[None]]:
    async def require(fingerprint: str) -> None:
        if fingerprint != expected:
            raise _another_body()

    return require


def _fixed(accounts: Accounts, turn: Turn) -> Callable[[str], Awaitable[None]]:
    async def fix(fingerprint: str) -> None:
        if turn.fingerprint not in {"", fingerprint}:
            raise _another_body()
        if not await run_sync(accounts.fix_turn, turn, fingerprint):
            raise _in_flight()

    return fix


async def _beat(accounts: Accounts, turn: Turn) -> None:
    while True:
        await asyncio.sleep(OWNER_SECONDS / 4)
        with suppress(DubflowError):  # as long as the database is away, nobody can take over either
            await run_sync(accounts.renew_turn, turn)


def _in_flight() -> ProblemError:
    return ProblemError(
        ErrorCode.CONFLICT,
        f"a request with this {HEADER} is being answered; ask again in a moment",
        headers={"Retry-After": _RETRY_SECONDS},
    )


def _another_body() -> ProblemError:
    return ProblemError(
        ErrorCode.INVALID_REQUEST, f"this {HEADER} was used for another request; a new request needs a new one"
    )
