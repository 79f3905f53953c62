"""Bodies of requests stay small, except where a route reads them as they arrive and counts for itself."""

import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 1024 * 1024

STREAMED = (
    ("POST", re.compile(r"/api/v1/upload")),
    ("PUT", re.compile(r"/api/v1/uploads/.+")),
    ("PATCH", re.compile(r"/api/v1/uploads/.+")),
)
"""Method and path of the routes that count for themselves."""


class BodyLimit:
    """Refuses a body as soon as it is known to be too large, before a route would hold it in memory."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BYTES) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or _is_streamed(scope):
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isascii() and announced.isdecimal() and int(announced) > self._max_bytes:
            raise self._refusal()
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise self._refusal()
            return message

        await self._app(scope, receive_counted, send)

    def _refusal(self) -> HTTPException:
        # Of this kind, because while it reads a body FastAPI turns all other exceptions into one that says nothing.
        return HTTPException(413, f"the body has more than {self._max_bytes} bytes")


def _is_streamed(scope: Scope) -> bool:
    return any(scope["method"] == method and path.fullmatch(scope["path"]) for method, path in STREAMED)
