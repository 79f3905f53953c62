"""Finished files, and what of them can be shown before one has them."""

from datetime import UTC, datetime
from pathlib import PurePath
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from cluster.blobs.faults import file_errors
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.records import Job
from serve_apps.dependencies import JobDep, ServicesDep
from serve_apps.files.desk import FileDesk
from serve_apps.files.models import Download, FileKind, Waveform
from serve_apps.files.of_jobs import SOURCE, film_place, finished_output, output_place, source_place
from serve_apps.files.places import Place
from serve_apps.files.served import ServedFile, media_type
from serve_apps.services import Services

router = APIRouter(prefix="/jobs/{job_id}", tags=["files"])
public_router = APIRouter(prefix="/files", tags=["files"])

MAX_CLIP_SECONDS = 60.0
_DAY = 86_400.0


def _desk(request: Request) -> FileDesk:
    desk: FileDesk = request.app.state.file_desk
    return desk


DeskDep = Annotated[FileDesk, Depends(_desk)]
Language = Annotated[
    str | None, Query(max_length=200, description="One of the job's target languages; may be left out if it has one.")
]
Film = Annotated[
    str | None, Query(max_length=200, description="One of the job's target languages, or `source` for the original.")
]
_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/download",
    operation_id="download",
    summary="Where a finished file is to be had",
    response_model=Download,
    responses={
        200: {"description": "The link; with `redirect=1` the file, where it is small.", "content": {"*/*": _BINARY}},
        206: {"description": "With `redirect=1`: the range that was asked for, at most 8 MB of it."},
        307: {"description": "With `redirect=1`: the file is there."},
    },
)
@router.head("/download", include_in_schema=False, response_model=None)
async def download(
    *,
    request: Request,
    job: JobDep,
    services: ServicesDep,
    desk: DeskDep,
    language: Language = None,
    kind: Annotated[FileKind, Query(alias="type")] = FileKind.VIDEO,
    redirect: Annotated[bool, Query(description="Give the file itself.")] = False,
) -> Download | Response:
    """Gives a link that needs no key for an hour, or with `redirect=1` the file, under the name of its source."""
    place = await _wanted(services, desk, job, language, kind)
    if redirect:
        return await run_sync(desk.answer, request, place, "attachment")
    link = await run_sync(desk.link, place)
    return Download(
        download_url=link.url,
        filename=place.name,
        file_size=place.size,
        expires_at=datetime.fromtimestamp(link.expires_at, UTC),
    )


@router.get(
    "/preview",
    operation_id="preview",
    summary="A clip to look at",
    response_class=Response,
    responses={200: {"description": "A film that plays by itself.", "content": {"video/mp4": _BINARY}}},
)
async def preview(
    *,
    request: Request,
    job: JobDep,
    services: ServicesDep,
    desk: DeskDep,
    language: Film = None,
    start_time: Annotated[float, Query(ge=0, le=7 * _DAY, allow_inf_nan=False, description="Seconds.")] = 0.0,
    duration: Annotated[
        float, Query(gt=0, le=MAX_CLIP_SECONDS, allow_inf_nan=False, description="Seconds; the film may end before.")
    ] = 30.0,
) -> Response:
    """Cut without encoding anew, as soon as the language is finished; a start beyond the end is a 422."""
    place = await run_sync(film_place, services, job, language)
    suffix = ".m4a" if media_type(place.name).startswith("audio/") else ".mp4"
    name = f"{PurePath(place.name).stem}.preview{suffix}"
    wanted = {"start": round(start_time, 3), "seconds": round(duration, 3), "language": _spoken(job, language)}
    clip = await desk.made(job, "clip", place, name, **wanted)
    return await run_sync(desk.answer, request, clip, "inline")


@router.get(
    "/poster",
    operation_id="poster",
    summary="A picture of the film",
    response_class=Response,
    responses={200: {"description": "From a tenth in.", "content": {"image/jpeg": _BINARY}}},
)
async def poster(request: Request, job: JobDep, services: ServicesDep, desk: DeskDep) -> Response:
    """Of the source, as soon as it is there; sound without a picture has none, which is a 404."""
    place = await run_sync(source_place, services, job)
    return await desk.small(request, job, "poster", ".jpg", place)


@router.get("/waveform", operation_id="waveform", summary="How loud a track is", response_model=Waveform)
async def waveform(
    request: Request, job: JobDep, services: ServicesDep, desk: DeskDep, language: Film = SOURCE
) -> Response:
    """At most 2,000 peaks over the whole length."""
    place = await run_sync(film_place, services, job, language)
    return await desk.small(request, job, "waveform", ".json", place, language=_spoken(job, language))


@public_router.get(
    "/{token}",
    operation_id="file",
    summary="A file by its link",
    response_class=Response,
    responses={
        200: {"description": "The file.", "content": {"application/octet-stream": _BINARY}},
        206: {"description": "The range that was asked for, at most 8 MB of it."},
        304: {"description": "The file has not changed."},
        412: {"description": "The file has changed."},
        416: {"description": "The file ends before the range."},
    },
)
@public_router.head("/{token}", include_in_schema=False)
def by_link(token: Annotated[str, Path(max_length=8000)], desk: DeskDep) -> Response:
    """Links come from `GET /jobs/{job_id}/download`; they need no key and expire."""
    linked = desk.links.read(token)
    gone = "this link has expired, or it was never one; ask for another"
    if linked is None:
        raise DubflowError(ErrorCode.NOT_FOUND, gone)
    with file_errors(linked.name, missing=gone):
        return ServedFile(linked.path, name=linked.name)


async def _wanted(services: Services, desk: FileDesk, job: Job, language: str | None, kind: FileKind) -> Place:
    if kind is FileKind.SOURCE:
        return await run_sync(source_place, services, job)
    output = await run_sync(finished_output, services, job, language)
    if kind is not FileKind.AUDIO or "audio" in output.files:
        return await run_sync(output_place, services, job, output, kind.value)
    film = await run_sync(output_place, services, job, output, "video")
    return await desk.made(job, "audio", film, f"{PurePath(film.name).stem}.m4a")


def _spoken(job: Job, language: str | None) -> str | None:
    """Which of the original's tracks is meant, where it has several; a dub marks its own."""
    return job.request.source_language if language == SOURCE else None
