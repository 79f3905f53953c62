"""Hands a file out: as a link, as itself, or as a small answer."""

from http import HTTPStatus
from typing import Any

from anyio.to_thread import run_sync
from fastapi import Request
from starlette.responses import RedirectResponse, Response

from cluster.blobs.faults import file_errors
from cluster.ledger.records import Job
from serve_apps.files.derived import Derived
from serve_apps.files.links import Links
from serve_apps.files.places import Link, Linker, Place, find
from serve_apps.files.served import SLICE_BYTES, ServedFile, media_type
from serve_apps.services import Services
from serve_apps.views import API

FILES = f"{API}/files/"
"""The address of files by their tokens."""


class FileDesk:
    """What the routes of files share, made once for the life of an application."""

    def __init__(self, services: Services) -> None:
        self._blobs = services.blobs
        self._s3_endpoint_url = services.settings.s3_endpoint_url
        self.derived = Derived(services.blobs, services.settings, services.scratch)
        self.links = Links(services.blobs)
        self._linker = Linker(self.links, FILES.__add__, self._s3_endpoint_url)

    def link(self, place: Place) -> Link:
        """A link that needs no key."""
        return self._linker.link(place)

    def answer(self, request: Request, place: Place, kind: str) -> Response:
        """The file itself where that is bounded; else a redirect to a link.

        Serve takes an answer from a replica as fast as it comes. What is whole and large is therefore sent by the file
        door, and an object by its store.

        Args:
            request: Tells whether a range is wanted.
            place: The file.
            kind: Of `Content-Disposition`.
        """
        whole = "range" not in request.headers and request.method == "GET"
        if place.path is None or (whole and place.size > SLICE_BYTES):
            return RedirectResponse(self.link(place).url, HTTPStatus.TEMPORARY_REDIRECT, {"Cache-Control": "no-store"})
        with file_errors(place.name, missing=f"{place.name} is not there any more"):
            return ServedFile(place.path, name=place.name, kind=kind)

    async def made(self, job: Job, kind: str, place: Place, name: str, **wanted: Any) -> Place:
        """Something made of a job's file, as a file."""
        suffix = name[name.rindex(".") :]
        key = await self.derived.get(job, kind, suffix, place, **wanted)
        return await run_sync(find, self._blobs.uri(key), name, self._s3_endpoint_url)

    async def small(self, request: Request, job: Job, kind: str, suffix: str, place: Place, **wanted: Any) -> Response:
        """Something small made of a job's file, as the body of the answer."""
        key = await self.derived.get(job, kind, suffix, place, **wanted)
        headers = {"ETag": f'"{key.rpartition("/")[2]}"', "Cache-Control": "private, no-cache"}
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(await run_sync(self._blobs.get_bytes, key), headers=headers, media_type=media_type(key))
