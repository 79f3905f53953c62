"""The web page: one shell for each of its addresses, and files whose address changes with their content."""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

FOLDER = Path(__file__).parents[1] / "page"
SHELL = "index.html"
SAMPLE = "sample.mp4"
_SAMPLES = FOLDER.parents[1] / "samples"
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_DENSE = frozenset({".mp4"})

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page, ready to send: as it is, and compressed where that is smaller."""

    content: bytes
    media_type: str
    compressed: bytes | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The shell and all files, read once; `version` is a digest of them and part of every file's address.

    The files refer to each other by relative addresses, so one changed file moves all of them: a browser never mixes
    two versions, whichever replica answers.
    """

    version: str
    shell: Asset
    assets: Mapping[str, Asset]


@cache
def page() -> Page:
    """The page as it lies beside this package."""
    contents = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.is_file()}
    if SAMPLE not in contents:  # only a built package has it beside the page; a checkout keeps its samples in one place
        contents[SAMPLE] = (_SAMPLES / "jfk.mp4").read_bytes()
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name}:{len(content)}:".encode() + content)
    version = digest.hexdigest()[:16]
    shell = contents.pop(SHELL).replace(b"{assets}", f"/assets/{version}".encode())
    return Page(
        version,
        _asset(SHELL, shell),
        {name: _asset(name, content) for name, content in contents.items()},
    )


@router.get("/")
@router.get("/jobs/{job_id}")
def shell(request: Request) -> Response:
    """The same shell for the library and for a job; the address tells its scripts which."""
    headers = {
        "Cache-Control": _ASK_AGAIN,
        "ETag": f'W/"{page().version}"',
    }
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return _send(request, page().shell, headers)


@router.get("/assets/{version}/{name}")
def asset(request: Request, version: str, name: str) -> Response:
    """A file of the page; another version's are not found, and the page that asks loads itself anew."""
    found = page().assets.get(name) if version == page().version else None
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such file in this version of the page")
    return _send(request, found, {"Cache-Control": _FOR_EVER})


@router.get("/favicon.ico")
def favicon() -> Response:
    """The shell names its own; browsers ask for this one beside error pages."""
    return Response(page().assets["icon.svg"].content, media_type="image/svg+xml")


def _asset(name: str, content: bytes) -> Asset:
    suffix = Path(name).suffix
    media_type = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Asset(content, media_type, None if suffix in _DENSE else gzip.compress(content, mtime=0))


def _send(request: Request, found: Asset, headers: Mapping[str, str]) -> Response:
    if found.compressed is None:
        return Response(found.content, headers=dict(headers), media_type=found.media_type)
    headers = {**headers, "Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return Response(found.content, headers=headers, media_type=found.media_type)
    return Response(found.compressed, headers={**headers, "Content-Encoding": "gzip"}, media_type=found.media_type)
