"""Large files: announced, sent in parts that can be repeated, and completed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from cluster.blobs.contract import DirectBlobs, FileBlobs
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.records import Upload
from cluster.uploads import remove_upload
from serve_apps.dependencies import CallerDep, Services, ServicesDep
from serve_apps.idempotency import request_seed
from serve_apps.problems import ProblemError
from serve_apps.uploads.checksums import Checksum
from serve_apps.uploads.chunks import ChunkedIntake
from serve_apps.uploads.intake import Intake, PartLink, require_acceptable
from serve_apps.uploads.models import UploadAnswer, UploadOrder, UploadPart, UploadParts, UploadState
from serve_apps.uploads.multipart import MultipartIntake
from serve_apps.uploads.parts import MAX_OBJECT_PARTS, source_key

router = APIRouter(prefix="/uploads", tags=["uploads"])

_PARTS_AT_ONCE = 100
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}

UploadId = Annotated[str, Path(max_length=64)]
Offset = Annotated[int, Header(alias="Upload-Offset", ge=0, lt=2**63)]
PartNumber = Annotated[int, Path(ge=1, le=2**31)]


@dataclass(frozen=True, slots=True)
class _Desk:
    """What a request about uploads is served with.

    Attributes:
        tenant: Whose uploads it sees.
        services: Of the application.
        intake: The way that the blob store calls for.
        path: Of all uploads, as this application is mounted.
    """

    tenant: str
    services: Services
    intake: Intake
    path: str

    def upload(self, upload_id: str) -> Upload:
        """One of the tenant's uploads."""
        return self.services.ledger.upload(self.tenant, upload_id)

    @property
    def chunked(self) -> ChunkedIntake:
        """The intake, where chunks come through the doors."""
        if not isinstance(self.intake, ChunkedIntake):
            raise DubflowError(ErrorCode.CONFLICT, "parts of uploads go to the object store; use the links in `parts`")
        return self.intake

    def answer(self, upload: Upload, links: list[PartLink] | None = None) -> UploadAnswer:
        """An upload as its owner sees it."""
        layout, here = self.intake.parts(upload.size), f"{self.path}/{upload.id}"
        return UploadAnswer(
            upload_id=upload.id,
            status=UploadState.COMPLETE if upload.complete else UploadState.OPEN,
            name=upload.name,
            size=upload.size,
            offset=self.intake.arrived(upload).offset,
            part_bytes=layout.part_bytes,
            part_count=layout.count,
            direct=self.intake.direct,
            upload_url=here,
            parts_url=f"{here}/parts",
            complete_url=f"{here}/complete",
            expires_at=datetime.fromtimestamp(upload.expires_at, UTC),
            parts=_parts(links or []),
        )


def _desk(request: Request, caller: CallerDep, services: ServicesDep) -> _Desk:
    blobs, path = services.blobs, request.url_for("uploads").path
    if isinstance(blobs, DirectBlobs):
        intake: Intake = MultipartIntake(services.ledger, blobs, services.settings)
    elif isinstance(blobs, FileBlobs):
        intake = ChunkedIntake(services.ledger, blobs, services.settings, path)
    else:
        raise DubflowError(ErrorCode.ENVIRONMENT, "this blob store takes no uploads in parts")
    return _Desk(caller.tenant, services, intake, path)


Desk = Annotated[_Desk, Depends(_desk)]


@router.post("", status_code=HTTPStatus.CREATED, name="uploads", summary="Announce a large file")
def create(request: Request, response: Response, order: UploadOrder, desk: Desk) -> UploadAnswer:
    """Gives an upload, and where to send its first parts. Nothing is dubbed before a job is made of it."""
    require_acceptable(order.name, order.size, desk.services.settings)
    upload_id = request_seed(request)
    key = source_key(desk.tenant, upload_id, order.name)
    upload = desk.services.ledger.create_upload(
        desk.tenant,
        order.name,
        order.size,
        seconds=desk.services.settings.upload_retention_hours * 3600,
        upload_id=upload_id,
        key=key,
        multipart=desk.intake.begin(key, order.size),
    )
    response.headers["Location"] = f"{desk.path}/{upload.id}"
    return desk.answer(upload, desk.intake.links(upload, 1, _PARTS_AT_ONCE))


@router.get("/{upload_id}", summary="How far an upload is")
def show(response: Response, upload_id: UploadId, desk: Desk) -> UploadAnswer:
    """What is safe here, whatever the sender believes: after any trouble, go on at `offset`."""
    answer = desk.answer(desk.upload(upload_id))
    response.headers.update(_progress(answer.offset, answer.size))
    return answer


@router.head("/{upload_id}", summary="How far an upload is, in `Upload-Offset`")
def progress(upload_id: UploadId, desk: Desk) -> Response:
    """As `GET`, for clients that speak tus."""
    upload = desk.upload(upload_id)
    return Response(headers=_progress(desk.intake.arrived(upload).offset, upload.size))


@router.get("/{upload_id}/parts", summary="Where to send some parts")
def parts(
    upload_id: UploadId,
    desk: Desk,
    first: Annotated[int, Query(ge=1, le=MAX_OBJECT_PARTS)] = 1,
    count: Annotated[int, Query(ge=1, le=1000)] = _PARTS_AT_ONCE,
) -> UploadParts:
    """Links to an object store expire after an hour; asking again gives new ones."""
    upload = desk.upload(upload_id)
    if upload.complete:
        raise DubflowError(ErrorCode.CONFLICT, "the upload is complete; there is nothing to send")
    after, total = first + count, desk.intake.parts(upload.size).count
    links = desk.intake.links(upload, first, count)
    return UploadParts(parts=_parts(links), next_part=after if after <= total else None)


@router.put(
    "/{upload_id}/parts/{number}", status_code=HTTPStatus.NO_CONTENT, summary="Send one part", openapi_extra=_BODY
)
async def put_part(request: Request, upload_id: UploadId, number: PartNumber, desk: Desk) -> Response:
    """Parts come one after the other; another than the next one is a 409 and changes nothing."""
    upload = await run_sync(desk.upload, upload_id)
    layout = desk.chunked.parts(upload.size)
    if number > layout.count:
        raise DubflowError(ErrorCode.CONFLICT, f"the upload has {layout.count} parts, and no part {number}")
    return await _take(desk, upload, layout.offset(number), request, layout.part(number).size)


@router.patch(
    "/{upload_id}", status_code=HTTPStatus.NO_CONTENT, summary="Send a chunk of any size", openapi_extra=_BODY
)
async def patch(request: Request, upload_id: UploadId, offset: Offset, desk: Desk) -> Response:
    """At most 16 MB that begin at `Upload-Offset`; any other place than where the upload is is a 409.

    `Content-Digest` (RFC 9530) or `Upload-Checksum` (tus) have it checked: what does not match is discarded.
    """
    upload = await run_sync(desk.upload, upload_id)
    return await _take(desk, upload, offset, request)


@router.post("/{upload_id}/complete", summary="All parts are sent")
def complete(upload_id: UploadId, desk: Desk) -> UploadAnswer:
    """Puts the parts together and looks whether they are video or audio; then `POST /jobs` can take the upload."""
    return desk.answer(desk.intake.complete(desk.upload(upload_id)))


@router.delete("/{upload_id}", status_code=HTTPStatus.NO_CONTENT, summary="Give an upload up")
def delete(upload_id: UploadId, desk: Desk) -> Response:
    """What has arrived is removed. The source of a job goes with the job instead."""
    upload, ledger = desk.upload(upload_id), desk.services.ledger
    if upload.complete and ledger.serves_another(tenant=upload.tenant, source_uri=upload.uri):
        raise DubflowError(ErrorCode.CONFLICT, "a job has this upload as its source; delete the job instead")
    remove_upload(ledger, desk.services.blobs, upload)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _take(desk: _Desk, upload: Upload, offset: int, request: Request, exactly: int | None = None) -> Response:
    checksum = Checksum.of(request.headers)
    try:
        after = await desk.chunked.take(upload, offset, request.stream(), checksum, exactly)
    except DubflowError as error:
        if error.code is not ErrorCode.CONFLICT:
            raise
        known = await run_sync(desk.upload, upload.id)
        raise ProblemError(error.code, error.message, headers=_progress(known.received, known.size)) from error
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=_progress(after.received, after.size))


def _parts(links: list[PartLink]) -> list[UploadPart]:
    return [UploadPart(number=p.number, offset=p.offset, size=p.size, url=p.url, received=p.received) for p in links]


def _progress(offset: int, size: int) -> dict[str, str]:
    return {"Upload-Offset": str(offset), "Upload-Length": str(size), "Cache-Control": "no-store"}
