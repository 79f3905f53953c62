"""One call from a file to a job."""

from contextlib import suppress
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.records import Job, Upload
from cluster.sources import SourceRef
from cluster.uploads import remove_upload
from serve_apps.answers import accepted
from serve_apps.authentication import Caller
from serve_apps.dependencies import CallerDep, ServicesDep
from serve_apps.idempotency import request_seed
from serve_apps.languages import choose_source, choose_targets
from serve_apps.media_types import HEAD_BYTES, require_media
from serve_apps.models import Accepted, UploadFields
from serve_apps.multipart import Form, receive_form
from serve_apps.options import JobOptions
from serve_apps.services import Services
from serve_apps.submission import Order, submit
from serve_apps.uploads.completion import Completion
from serve_apps.uploads.parts import source_key

router = APIRouter(tags=["jobs"])

_LONGEST_NAME = 200
_FORM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["file", "target_language"],
    "additionalProperties": False,
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "Video or audio, up to `max_upload_bytes`."},
        "source_language": {"type": "string", "default": "auto", "description": "Tag or English name."},
        "target_language": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Repeatable, or a list divided by commas.",
            "examples": [["es", "fr"]],
        },
        "user_id": {"type": "string", "maxLength": 200},
        "options": {"type": "string", "description": "JobOptions as JSON.", "examples": ['{"keep_background": true}']},
    },
}
_BODY = {"required": True, "content": {"multipart/form-data": {"schema": _FORM_SCHEMA}}}


@router.post(
    "/upload",
    status_code=HTTPStatus.ACCEPTED,
    operation_id="upload",
    summary="Upload a file and have it dubbed",
    openapi_extra={"requestBody": _BODY},
)
async def upload(request: Request, response: Response, caller: CallerDep, services: ServicesDep) -> Accepted:
    """Takes one file and answers with the job; larger files go through `POST /uploads`.

    The job is safe from the moment of the answer on, whatever happens to the service.
    """
    async with receive_form(request, services.scratch, services.settings.max_upload_bytes) as form:
        job = await run_sync(accept, services, caller, request_seed(request), form)
    return accepted(response, job)


def accept(services: Services, caller: Caller, upload_id: str, form: Form) -> Job:
    """Make a job of a form that has arrived; with the same upload's id again, find it.

    Raises:
        DubflowError: `unsupported_media`, `unsupported_language`, `invalid_request`, `rate_limited`; storage.
    """
    name = shown_name(form.file_name)
    with form.path.open("rb") as file:
        require_media(PurePosixPath(name).suffix.lower(), file.read(HEAD_BYTES))
    fields, options = _fields(form)
    offered = services.ledger.languages()
    source_language = choose_source(fields.source_language, offered)
    targets = choose_targets(fields.target_language, source_language, offered, services.settings.max_target_languages)
    upload = _store(services, caller, upload_id, name, form)
    try:
        source = SourceRef(upload.uri, upload.version, upload.size, upload.name)
        return submit(services, caller, Order(source, name, source_language, targets, options, fields.user_id))
    except DubflowError:
        _give_up(services, upload)
        raise


def _store(services: Services, caller: Caller, upload_id: str, name: str, form: Form) -> Upload:
    """The file as a blob; where the same request was broken off behind this point, what it has stored."""
    ledger, blobs = services.ledger, services.blobs
    key = source_key(caller.tenant, upload_id, name)
    upload = ledger.create_upload(
        caller.tenant,
        name,
        form.size,
        seconds=services.settings.upload_retention_hours * 3600,
        upload_id=upload_id,
        key=key,
    )
    if upload.complete:
        return upload
    blobs.put_file(key, form.path)
    return Completion(ledger, blobs, services.settings).record(upload)


def _give_up(services: Services, upload: Upload) -> None:
    # A commit whose answer was lost for good may have made a job after all.
    with suppress(DubflowError):
        if not services.ledger.serves_another(tenant=upload.tenant, source_uri=upload.uri):
            remove_upload(services.ledger, services.blobs, upload)


def _fields(form: Form) -> tuple[UploadFields, JobOptions]:
    single = {name: values[-1] for name, values in form.fields.items() if name != "target_language"}
    targets = form.fields.get("target_language", [])
    try:
        fields = UploadFields.model_validate({**single, "target_language": targets})
    except ValidationError as error:
        raise _located(error, ()) from error
    try:
        return fields, JobOptions.model_validate_json(fields.options or "{}")
    except ValidationError as error:
        raise _located(error, ("options",)) from error


def _located(error: ValidationError, within: tuple[str, ...]) -> RequestValidationError:
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return RequestValidationError([{**one, "loc": ("body", *within, *one["loc"])} for one in details])


def shown_name(file_name: str) -> str:
    """A sender's name for a file, without folders and without characters that no page shows.

    Raises:
        DubflowError: `invalid_request` where nothing is left.
    """
    last = file_name.replace("\\", "/").rpartition("/")[2]
    printable = "".join(character for character in last if character.isprintable()).strip()
    suffix = PurePosixPath(printable).suffix[:_LONGEST_NAME]
    if not printable.strip("."):
        raise DubflowError(ErrorCode.INVALID_REQUEST, "the file has no name; give it one such as talk.mp4")
    return printable.removesuffix(suffix)[: _LONGEST_NAME - len(suffix)] + suffix
