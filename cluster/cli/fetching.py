"""Files on their way from a service: in pieces, going on where they stopped, and never half under their name."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import httpx

from cluster.cli.service_client import ServiceClient
from cluster.errors import DubflowError, ErrorCode

_TRIES = 8
"""How often a connection may break before anything more has arrived."""
_PLAIN = {"Accept-Encoding": "identity"}
"""Ranges count the bytes of the file, not those of something compressed."""
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True, slots=True)
class _Blob:
    """What lies at an address: bytes in all, and what changes with them."""

    size: int
    etag: str


def fetch(client: ServiceClient, url: str, target: Path, tell: Callable[[int], None]) -> None:
    """Download a file that is not empty; it appears whole under its name.

    What has arrived is kept beside it and used again, as long as the service's file is the same.

    Args:
        client: The service.
        url: As the service gave it.
        target: The file to be.
        tell: Is told how many bytes have arrived.

    Raises:
        DubflowError: What the service says; `storage_failed` where the connection breaks again and again, or the file
            changes on the way.
    """
    blob = _look(client, url)
    # Named after the content's tag: pieces of another version are never put together with this one's.
    tag = blake2b(f"{blob.etag}/{blob.size}".encode(), digest_size=6).hexdigest()
    part = target.with_name(f".{target.name[:200]}.{tag}.part")
    with part.open("ab") as file:
        if file.tell() > blob.size:
            file.truncate(0)
        _fill(client, url, blob, file, tell)
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)


def safe_name(name: str) -> str:
    """The last segment of a name that a service gave.

    Raises:
        DubflowError: `storage_failed` for a name that no file can have.
    """
    last = PurePosixPath(name.replace("\\", "/")).name
    if last in {"", ".", ".."} or not last.isprintable():
        raise DubflowError(ErrorCode.STORAGE_FAILED, f"the service gives a file the name {name!r}; tell its operator")
    return last


def _look(client: ServiceClient, url: str) -> _Blob:
    with client.stream(url, headers={"Range": "bytes=0-0", **_PLAIN}) as answer:
        etag = answer.headers.get("ETag", "")
        if found := _RANGE.fullmatch(answer.headers.get("Content-Range", "")):
            return _Blob(int(found[3]), etag)
        length = _length(answer)
        if length is None:
            raise DubflowError(ErrorCode.STORAGE_FAILED, "the service does not tell how long the file is")
        return _Blob(length, etag)


def _fill(client: ServiceClient, url: str, blob: _Blob, file: BinaryIO, tell: Callable[[int], None]) -> None:
    fruitless = 0
    while (had := file.tell()) < blob.size:
        tell(had)
        try:
            _append(client, url, blob, file, tell)
        except httpx.TransportError as error:
            if fruitless == _TRIES:
                raise DubflowError(
                    ErrorCode.STORAGE_FAILED, f"the connection breaks again and again ({error})"
                ) from error
        fruitless = 0 if file.tell() > had else fruitless + 1
        if fruitless:
            client.wait(fruitless)
    tell(had)


def _append(client: ServiceClient, url: str, blob: _Blob, file: BinaryIO, tell: Callable[[int], None]) -> None:
    start = file.tell()
    headers = {"Range": f"bytes={start}-", **_PLAIN} | ({"If-Range": blob.etag} if blob.etag else {})
    with client.stream(url, headers=headers) as answer:
        found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        same = (int(found[1]), int(found[3])) == (start, blob.size) if found else False
        whole = answer.status_code == HTTPStatus.OK and not start and _length(answer) in {None, blob.size}
        if not (same or whole):
            raise DubflowError(ErrorCode.STORAGE_FAILED, "the file changed while it was fetched; download it again")
        for piece in answer.iter_raw():
            file.write(piece)
            tell(file.tell())


def _length(answer: httpx.Response) -> int | None:
    length = answer.headers.get("Content-Length")
    return None if length is None else int(length)
