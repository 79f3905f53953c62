"""A file as an answer."""

import os
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from anyio import CancelScope
from anyio.to_thread import run_sync
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serve_apps.files.ranges import FileState, Selection, select

SLICE_BYTES = 8 << 20
"""Of a partial answer. Serve takes an answer as fast as it is made, however slowly its client reads."""

_READ_BYTES = 256 << 10

MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".m4a": "audio/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".avi": "video/x-msvideo",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".srt": "application/x-subrip; charset=utf-8",
    ".vtt": "text/vtt; charset=utf-8",
    ".json": "application/json",
    ".jpg": "image/jpeg",
}
"""By extension; everything else is bytes, which no browser runs."""


def media_type(name: str) -> str:
    """What a file of that name holds."""
    return MEDIA_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")


def disposition(name: str, kind: str = "attachment") -> str:
    """`Content-Disposition` (RFC 6266): the name in UTF-8, and in ASCII for whoever does not read that."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%/' else "_" for c in name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"


class ServedFile(Response):
    """A file, or what a request asks for of it.

    It is read as the server takes it, in a thread, so that nothing piles up where the server waits for its client.

    Args:
        path: The file; opened at once, so that it is served whole even if it is replaced or removed meanwhile.
        name: For `Content-Disposition` and the type.
        most: Bytes of a partial answer; None has no limit.
        headers: More of them.

    Raises:
        OSError: The file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        kind: str = "attachment",
        most: int | None = SLICE_BYTES,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._file: BinaryIO = path.open("rb")
        status = os.fstat(self._file.fileno())
        etag = f'"{status.st_size:x}-{status.st_mtime_ns:x}"'
        self.state = FileState(status.st_size, etag, formatdate(status.st_mtime, usegmt=True))
        self._most = most
        self.background = None
        self.body = b""
        self.status_code = HTTPStatus.OK
        self.raw_headers: list[tuple[bytes, bytes]] = []
        fixed = {
            "accept-ranges": "bytes",
            "cache-control": "private, no-cache",
            "content-disposition": disposition(name, kind),
            "content-type": media_type(name),
            "etag": etag,
            "last-modified": self.state.modified,
        }
        MutableHeaders(raw=self.raw_headers).update({**fixed, **(headers or {})})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """ASGI."""
        try:
            selection = select(scope["method"], Headers(scope=scope), self.state, self._most)
            await send({"type": "http.response.start", **self._head(selection)})
            await self._send_body(selection if scope["method"] == "GET" else Selection(selection.status), send)
        finally:
            with CancelScope(shield=True):
                await run_sync(self._file.close)

    def _head(self, selection: Selection) -> dict[str, object]:
        headers = MutableHeaders(raw=list(self.raw_headers))
        size = self.state.size
        match selection.status:
            case HTTPStatus.PARTIAL_CONTENT:
                headers["content-range"] = f"bytes {selection.start}-{selection.end - 1}/{size}"
            case HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                headers["content-range"] = f"bytes */{size}"
        if selection.status != HTTPStatus.NOT_MODIFIED:
            headers["content-length"] = str(selection.end - selection.start)
        return {"status": int(selection.status), "headers": headers.raw}

    async def _send_body(self, selection: Selection, send: Send) -> None:
        at = selection.start
        while at < selection.end:
            wanted = min(_READ_BYTES, selection.end - at)
            data = await run_sync(os.pread, self._file.fileno(), wanted, at)
            if not data:
                raise OSError(f"the file has become shorter than the {self.state.size} bytes it had")
            at += len(data)
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
