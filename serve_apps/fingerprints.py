"""What makes two requests the same: method, address, and body, without ever holding the body."""

import re
from collections.abc import Awaitable, Callable
from hashlib import sha256

from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Message, Receive

from cluster.errors import DubflowError

_BOUNDARY = re.compile(r"multipart/form-data\s*;.*\bboundary=\"?([^\";,]{1,200})\"?", re.IGNORECASE)
_MARK = b"\0boundary\0"
_GONE: Message = {"type": "http.disconnect"}


class Fingerprint:
    """Fed with a request's body in pieces of any size.

    The boundary of a multipart form is left out: clients make a new one each time they send the same form.
    """

    def __init__(self, request: HTTPConnection) -> None:
        kind = request.headers.get("content-type", "")
        form = _BOUNDARY.match(kind)
        self._boundary = form[1].encode("latin-1") if form else b""
        self._tail = b""
        self._hash = sha256()
        head = (request.scope["method"], request.url.path, request.url.query, "form" if form else kind)
        self._hash.update("\n".join([*head, ""]).encode("utf-8", "surrogateescape"))

    def update(self, piece: bytes) -> None:
        """Add the next piece of the body."""
        if not self._boundary:
            self._hash.update(piece)
            return
        *parts, rest = (self._tail + piece).split(self._boundary)
        for part in parts:
            self._hash.update(part)
            self._hash.update(_MARK)
        known = max(0, len(rest) - len(self._boundary) + 1)  # behind that a boundary may begin
        self._hash.update(rest[:known])
        self._tail = rest[known:]

    def hexdigest(self) -> str:
        """The fingerprint of what was given so far."""
        whole = self._hash.copy()
        whole.update(self._tail)
        return whole.hexdigest()


class FingerprintedBody:
    """A body on its way to its reader; its last piece arrives once the fingerprint was accepted.

    Args:
        request: Whose body it is.
        receive: Where it comes from.
        accept: Gets the fingerprint of the whole, and raises DubflowError to refuse it. The reader then finds the
            client gone.
    """

    def __init__(self, request: HTTPConnection, receive: Receive, accept: Callable[[str], Awaitable[None]]) -> None:
        self._fingerprint = Fingerprint(request)
        self._receive = receive
        self._accept = accept
        self._first: Message | None = None
        self._ended = False
        self._refusal: DubflowError | None = None

    async def begin(self) -> None:
        """Wait for the first piece, which often is the whole: what is refused then is read by nobody.

        Raises:
            DubflowError: What `accept` raised.
        """
        self._first = await self.receive()
        self.require_accepted()

    async def receive(self) -> Message:
        """The next piece, as ASGI has it."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._refusal is not None:
            return _GONE
        message = await self._receive()
        if message["type"] == "http.request" and not self._ended:
            self._fingerprint.update(message.get("body", b""))
            if not message.get("more_body", False):
                self._ended = True
                try:
                    await self._accept(self._fingerprint.hexdigest())
                except DubflowError as error:
                    self._refusal = error
                    return _GONE
        return message

    async def read_through(self) -> str:
        """Read what nobody has read, and give the fingerprint of the whole.

        Raises:
            DubflowError: What `accept` raised.
            ClientDisconnect: The client went away in the middle.
        """
        while not self._ended:
            if (await self.receive())["type"] == "http.disconnect" and not self._ended:
                raise ClientDisconnect
        self.require_accepted()
        return self._fingerprint.hexdigest()

    def require_accepted(self) -> None:
        """Raise what `accept` raised."""
        if self._refusal is not None:
            raise self._refusal
