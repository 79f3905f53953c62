"""Which file of a job a request means."""

from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.records import Job, Output, StageStatus
from cluster.sources import changed
from serve_apps.files.places import Place, find
from serve_apps.services import Services
from serve_apps.views import file_name

SOURCE = "source"
"""Instead of a language: the original."""

FILMS = ("video", "audio")
"""Kinds of the file that one watches or hears, the better one first."""


def source_place(services: Services, job: Job) -> Place:
    """A job's source.

    Raises:
        DubflowError: `not_found` where it is not there any more; `source_changed`; `storage_failed`.
    """
    request = job.request
    name = request.name or PurePosixPath(unquote(urlsplit(request.source_uri).path)).name
    place = find(request.source_uri, name, services.settings.s3_endpoint_url)
    if place.version != request.source_version:
        raise changed(name)
    return place


def film_place(services: Services, job: Job, language: str | None) -> Place:
    """The film in a language, or the original.

    Raises:
        DubflowError: As `output_place` and `source_place`.
    """
    if language == SOURCE:
        return source_place(services, job)
    output = finished_output(services, job, language)
    kind = next((kind for kind in FILMS if kind in output.files), FILMS[0])
    return output_place(services, job, output, kind)


def output_place(services: Services, job: Job, output: Output, kind: str) -> Place:
    """One file of a finished language.

    Raises:
        DubflowError: `not_found` where there is none of that kind, or it is not there any more; `storage_failed`.
    """
    uri = output.files.get(kind)
    if uri is None:
        raise DubflowError(ErrorCode.NOT_FOUND, f"there is no {kind} of this job; there are {', '.join(output.files)}")
    return find(uri, file_name(job, output.language, uri), services.settings.s3_endpoint_url)


def finished_output(services: Services, job: Job, language: str | None) -> Output:
    """A language that can be had; None means the only one.

    Raises:
        DubflowError: `not_found` for a language that the job has not, or that failed; `conflict` for one that is not
            finished; `invalid_request` where it is not clear which is meant.
    """
    outputs = services.ledger.outputs(job.id)
    if language is None and len(outputs) > 1:
        known = ", ".join(output.language for output in outputs)
        raise DubflowError(ErrorCode.INVALID_REQUEST, f"say which language: {known}")
    wanted = outputs[0].language if language is None else language
    output = next((one for one in outputs if one.language.casefold() == wanted.casefold()), None)
    if output is None:
        raise DubflowError(ErrorCode.NOT_FOUND, f"the job has no target language {wanted}")
    if output.files:
        return output  # also while its changes are being spoken: until then it is the result
    if output.status is StageStatus.FAILED:
        reason = output.failure.message if output.failure else "it failed"
        raise DubflowError(ErrorCode.NOT_FOUND, f"there is no result in {output.language}: {reason}")
    raise DubflowError(ErrorCode.CONFLICT, f"{output.language} is not finished yet; watch the job's progress")
