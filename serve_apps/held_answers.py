"""Answers that are held until they are complete, to be kept for the next time the same is asked."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from cluster.accounts.answers import Answer

REPLAYED = "Idempotency-Replayed"
_NOT_KEPT = frozenset({"content-length"})


class HeldAnswer:
    """Takes what a route sends, and sends it on when it is called. Answers to POSTs are small."""

    def __init__(self) -> None:
        self._start: Message = {"type": "http.response.start", "status": HTTPStatus.INTERNAL_SERVER_ERROR}
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        """Take a piece of the answer."""
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer."""
        await send(self._start)
        await send({"type": "http.response.body", "body": bytes(self._body)})

    @property
    def may_be_kept(self) -> bool:
        """True for successes without secrets; a route marks those that have some as `Cache-Control: no-store`."""
        succeeded = HTTPStatus.OK <= self._start["status"] < HTTPStatus.MULTIPLE_CHOICES
        return succeeded and "no-store" not in self._headers.get("cache-control", "")

    def answer(self, fingerprint: str) -> Answer:
        """What to keep, for the request with this fingerprint."""
        headers = {name: value for name, value in self._headers.items() if name not in _NOT_KEPT}
        return Answer(fingerprint, int(self._start["status"]), headers, self._body.decode("utf-8"))

    @property
    def _headers(self) -> Headers:
        return Headers(raw=self._start.get("headers", []))


def answered_again(answer: Answer) -> Response:
    """The first answer, marked as a repetition."""
    return Response(answer.body, answer.status, {**answer.headers, REPLAYED: "true"})
