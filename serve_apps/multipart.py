"""Reads `multipart/form-data` as it arrives: fields into memory, the one file into a folder, both within limits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from anyio.to_thread import run_sync
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from cluster.blobs.faults import file_errors
from cluster.errors import DubflowError, ErrorCode

FILE = "file"
MAX_FIELD_BYTES = 256 * 1024
"""Of all fields together."""
MAX_PARTS = 300
_SPARE_BYTES = MAX_FIELD_BYTES + MAX_PARTS * 1024
"""What a body may have on top of its file."""
_WRITE_BYTES = 1024 * 1024
"""Parts of a file are collected to this length, so that not every network packet costs a change of threads."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form that has arrived.

    Attributes:
        fields: Values by name, in their order.
        path: Where the file is, until the form is left.
        file_name: As the sender calls it.
        size: Bytes of the file.
    """

    fields: dict[str, list[str]]
    path: Path
    file_name: str
    size: int


@asynccontextmanager
async def receive_form(request: Request, folder: Path, max_bytes: int) -> AsyncIterator[Form]:
    """Receive a form with one file; what was written is removed when the context is left.

    Args:
        request: Its body has not been read.
        folder: Where the file goes; it exists.
        max_bytes: A larger file is refused as soon as that is known, before more of it is read or written.

    Raises:
        DubflowError: `too_large`; `invalid_request` for anything but one file and fields; `disk_full`.
    """
    _require_length(request, max_bytes)
    with file_errors(folder):
        temporary = await run_sync(partial(TemporaryDirectory, dir=folder))
    try:
        path = Path(temporary.name) / FILE
        with file_errors(folder), path.open("wb", buffering=0) as file:
            parts = _Parts(max_bytes)
            await _read(request, parts, file)
        yield parts.form(path)
    finally:
        await run_sync(temporary.cleanup)


@dataclass(slots=True)
class _Parts:
    """What a parser has found so far."""

    max_bytes: int
    fields: dict[str, list[str]] = field(default_factory=dict)
    file_name: str | None = None
    size: int = 0
    unwritten: bytearray = field(default_factory=bytearray)
    ended: bool = False
    _name: str = ""
    _value: bytearray = field(default_factory=bytearray)
    _in_file: bool = False
    _header: bytearray = field(default_factory=bytearray)
    _header_value: bytearray = field(default_factory=bytearray)
    _disposition: bytes = b""
    _count: int = 0
    _field_bytes: int = 0

    def begin_part(self) -> None:
        self._count += 1
        if self._count > MAX_PARTS:
            raise _invalid(f"the form has more than {MAX_PARTS} parts")
        self._disposition = b""
        self._value.clear()

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)
        self._header.clear()
        self._header_value.clear()

    def end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = _text(options.get(b"name", b""))
        self._in_file = b"filename" in options
        if self._in_file != (self._name == FILE):
            raise _invalid(f"send one file, in the part {FILE!r}, and everything else as plain fields")
        if self._in_file:
            if self.file_name is not None:
                raise _invalid("send one file a request")
            self.file_name = _text(options[b"filename"])

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self.size += end - start
            if self.size > self.max_bytes:
                raise too_large(self.max_bytes)
            self.unwritten += data[start:end]
            return
        self._field_bytes += end - start
        if self._field_bytes > MAX_FIELD_BYTES:
            raise DubflowError(ErrorCode.TOO_LARGE, f"the form's fields have more than {MAX_FIELD_BYTES} bytes")
        self._value += data[start:end]

    def end_part(self) -> None:
        if not self._in_file:
            self.fields.setdefault(self._name, []).append(_text(bytes(self._value)))

    def end(self) -> None:
        self.ended = True

    def form(self, path: Path) -> Form:
        if not self.ended:
            raise _invalid("the body ends before its last boundary")
        if self.file_name is None:
            raise _invalid(f"there is no file in the part {FILE!r}")
        return Form(self.fields, path, self.file_name, self.size)


async def _read(request: Request, parts: _Parts, file: BinaryIO) -> None:
    parser = _parser(request, parts)
    try:
        async for chunk in request.stream():
            parser.write(chunk)
            if len(parts.unwritten) >= _WRITE_BYTES:
                await run_sync(_flush, parts, file)
        parser.finalize()
    except FormParserError as error:
        raise _invalid("the body is no multipart/form-data") from error
    await run_sync(_flush, parts, file)


def _flush(parts: _Parts, file: BinaryIO) -> None:
    written = 0
    while written < len(parts.unwritten):
        written += file.write(memoryview(parts.unwritten)[written:])
    parts.unwritten = bytearray()


def _parser(request: Request, parts: _Parts) -> MultipartParser:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise _invalid("send the file as multipart/form-data")
    try:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": parts.begin_part,
                "on_header_field": parts.header_name,
                "on_header_value": parts.header_value,
                "on_header_end": parts.end_header,
                "on_headers_finished": parts.end_headers,
                "on_part_data": parts.part_data,
                "on_part_end": parts.end_part,
                "on_end": parts.end,
            },
        )
    except FormParserError as error:
        raise _invalid("the boundary of the body is no boundary") from error


def _require_length(request: Request, max_bytes: int) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdecimal() and int(announced) > max_bytes + _SPARE_BYTES:
        raise too_large(max_bytes)


def too_large(max_bytes: int) -> DubflowError:
    """The error of a file that is better sent in parts."""
    megabytes = max_bytes / 1024**2
    return DubflowError(
        ErrorCode.TOO_LARGE, f"the file has more than {megabytes:.0f} MiB; send larger ones in parts, by POST /uploads"
    )


def _invalid(message: str) -> DubflowError:
    return DubflowError(ErrorCode.INVALID_REQUEST, message)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
