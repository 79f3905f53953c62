"""Every request has an id: the caller's own or a new one, in the answer, in the log, and in every problem."""

import re
from collections.abc import Callable
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

HEADER = "X-Request-Id"
_KEY = "dubflow.request_id"
_STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
_PLAIN = re.compile(r"[\w.\-]{1,64}", re.ASCII)

Failed = Callable[[HTTPConnection, Exception], Response]


class RequestContext:
    """Gives a request its id, and turns what nobody inside caught into an answer.

    Plain ASGI, because it holds for streams and WebSockets too, whose answers outlive the call of a route.

    Args:
        app: The application inside.
        failed: Makes the answer for an exception that came through.
    """

    def __init__(self, app: ASGIApp, failed: Failed) -> None:
        self._app = app
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        known = Headers(scope=scope).get(HEADER, "")
        scope[_KEY] = known if _PLAIN.fullmatch(known) else uuid4().hex
        with bound_contextvars(request_id=scope[_KEY]):
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] in _STARTS:
                started = True
                MutableHeaders(scope=message)[HEADER] = scope[_KEY]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except Exception as error:
            response = self._failed(HTTPConnection(scope), error)
            if started or scope["type"] == "websocket":
                raise  # the connection is broken off, which is all that can be said by now
            await response(scope, receive, send_with_id)


def request_id(connection: HTTPConnection) -> str:
    """The id of a request or WebSocket."""
    found: str = connection.scope.get(_KEY, "")
    return found
