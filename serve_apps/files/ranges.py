"""Which bytes of a file a request asks for (RFC 9110, 13 and 14)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers

_RANGES = re.compile(r"bytes\s*=\s*(.+)", re.IGNORECASE)
_RANGE = re.compile(r"(\d*)-(\d*)", re.ASCII)
_MAX_DIGITS = 19
_TAG = re.compile(r'(?:W/)?"[^"]*"')


@dataclass(frozen=True, slots=True)
class FileState:
    """What of a file decides an answer about it.

    Attributes:
        size: Bytes.
        etag: Strong, in its quotes.
        modified: As `Last-Modified` states it.
    """

    size: int
    etag: str
    modified: str


@dataclass(frozen=True, slots=True)
class Selection:
    """The bytes to send, from `start` to before `end`, and with which status."""

    status: HTTPStatus
    start: int = 0
    end: int = 0


def select(method: str, headers: Headers, state: FileState, most: int | None = None) -> Selection:
    """Decide what to send.

    A range is cut to `most` bytes: a partial answer says itself which bytes it has (15.3.7), and the client asks for
    the next. Of several ranges the first that can be met is sent, for the same reason. What cannot be read is ignored,
    as is a range on a version that the file no longer has.

    Args:
        method: `GET` or `HEAD`.
        headers: Of the request.
        state: Of the file.
        most: Bytes of a partial answer.
    """
    if (refused := _refused(headers, state)) is not None:
        return Selection(refused)
    current = headers.get("if-range", state.etag) in {state.etag, state.modified}
    ranges = list(_ranges(headers.get("range", ""), state.size)) if method == "GET" and current else []
    if not ranges:
        return Selection(HTTPStatus.OK, 0, state.size)
    start, end = next((one for one in ranges if one[0] < one[1]), (0, 0))
    if start == end:
        return Selection(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
    return Selection(HTTPStatus.PARTIAL_CONTENT, start, end if most is None else min(end, start + most))


def _refused(headers: Headers, state: FileState) -> HTTPStatus | None:
    """Why nothing is sent, by the request's conditions, in the order of RFC 9110, 13.2.2."""
    wanted, known = headers.get("if-match"), headers.get("if-none-match")
    if wanted is not None and not _matches(wanted, state.etag):
        return HTTPStatus.PRECONDITION_FAILED
    if known is not None:
        return HTTPStatus.NOT_MODIFIED if _matches(known, state.etag, weakly=True) else None
    return HTTPStatus.NOT_MODIFIED if headers.get("if-modified-since") == state.modified else None


def _ranges(header: str, size: int) -> Iterator[tuple[int, int]]:
    """The ranges, cut to the file; empty ones cannot be met. None at all where the header is not valid."""
    found = _RANGES.fullmatch(header.strip())
    if found is None:
        return
    texts = [text.strip() for text in found[1].split(",") if text.strip()]
    pairs = [_RANGE.fullmatch(text) for text in texts]
    limits = [(pair[1], pair[2]) for pair in pairs if pair is not None and max(map(len, pair.groups())) < _MAX_DIGITS]
    valid = all(first or last for first, last in limits) and all(
        not (first and last) or int(first) <= int(last) for first, last in limits
    )
    if len(limits) < len(texts) or not valid:
        return
    for first, last in limits:
        if first:
            start = int(first)
            yield min(start, size), min(int(last) + 1, size) if last else size
        else:
            yield max(0, size - int(last)), size


def _matches(header: str, etag: str, *, weakly: bool = False) -> bool:
    if header.strip() == "*":
        return True
    tags = _TAG.findall(header)
    return etag in ([tag.removeprefix("W/") for tag in tags] if weakly else tags)
