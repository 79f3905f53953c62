import json
import os
from typing import Any

from cluster.errors import DubflowError
from dataflow.media.wire import HEADER, Kind, header, parse_header

Request = dict[str, Any]


class Channel:
    """The child's end of the conversation."""

    def __init__(self, inbox: int, outbox: int) -> None:
        self._inbox = inbox
        self._outbox = outbox

    @classmethod
    def over_standard_streams(cls) -> "Channel":
        """Talk over stdin and stdout; whatever a library prints to stdout goes to stderr instead."""
        outbox = os.dup(1)
        os.dup2(2, 1)
        return cls(0, outbox)

    def receive_request(self) -> Request:
        """The first frame."""
        _, size = parse_header(self._read(HEADER.size))
        request: Request = json.loads(self._read(size))
        return request

    def receive_pcm(self) -> bytearray | None:
        """The next block of samples, or None after the last."""
        kind, size = parse_header(self._read(HEADER.size))
        return self._read(size) if kind is Kind.PCM else None

    def send_pcm(self, block: memoryview) -> None:
        """Deliver samples; waits for as long as the parent does not read."""
        self._send(Kind.PCM, block)

    def send_reply(self, reply: dict[str, Any]) -> None:
        """Answer the request."""
        self._send(Kind.TEXT, memoryview(json.dumps(reply).encode()))

    def send_error(self, error: DubflowError) -> None:
        """Answer that the request cannot be served."""
        self._send(Kind.ERROR, memoryview(json.dumps({"code": error.code, "message": error.message}).encode()))

    def _send(self, kind: Kind, payload: memoryview) -> None:
        os.write(self._outbox, header(kind, payload.nbytes))
        payload = payload.cast("B")
        while payload:
            payload = payload[os.write(self._outbox, payload) :]

    def _read(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            count = os.readv(self._inbox, [view])
            if not count:
                raise BrokenPipeError("the parent has closed the pipe")
            view = view[count:]
        return data
