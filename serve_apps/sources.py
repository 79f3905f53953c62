"""What a caller may name as the source of a job."""

from cluster.errors import DubflowError, ErrorCode
from cluster.sources import SourceRef, describe_source
from serve_apps.authentication import Caller
from serve_apps.models import Source
from serve_apps.services import Services


def named_source(services: Services, caller: Caller, source: Source) -> SourceRef:
    """What an order names.

    Raises:
        DubflowError: `invalid_request` for neither or both of its fields; what the two functions below raise.
    """
    match source:
        case Source(upload_id=str(upload_id), uri=None):
            return upload_source(services, caller, upload_id)
        case Source(upload_id=None, uri=str(uri)):
            return object_source(services, caller, uri)
    raise DubflowError(ErrorCode.INVALID_REQUEST, "name one source: an upload_id, or a uri")


def upload_source(services: Services, caller: Caller, upload_id: str) -> SourceRef:
    """A complete upload of the caller's tenant.

    Raises:
        DubflowError: `not_found`; `conflict` where something of it is missing.
    """
    upload = services.ledger.upload(caller.tenant, upload_id)
    if not upload.complete:
        raise DubflowError(
            ErrorCode.CONFLICT,
            f"the upload has {upload.received} of {upload.size} bytes; send the rest",
        )
    return SourceRef(upload.uri, upload.version, upload.size, upload.name)


def object_source(services: Services, caller: Caller, uri: str) -> SourceRef:
    """An object of S3, as it is now.

    Raises:
        DubflowError: `invalid_request` for other URIs; `not_found` for what is not there, and just the same for what
            the tenant may not read; `too_large`; `storage_failed`.
    """
    if not uri.startswith("s3://"):
        raise DubflowError(ErrorCode.INVALID_REQUEST, "a source is s3://bucket/key, or an upload's id")
    missing = DubflowError(ErrorCode.NOT_FOUND, "there is no such object, or its prefix is not open to you")
    if not services.accounts.may_read(caller.tenant, uri):
        raise missing
    try:
        source = describe_source(uri, s3_endpoint_url=services.settings.s3_endpoint_url)
    except DubflowError as error:
        # Whether the service's own credentials reach an object is nothing that a caller should learn.
        raise missing if error.code in {ErrorCode.NOT_FOUND, ErrorCode.ENVIRONMENT} else error from error
    most = services.settings.max_source_bytes
    if source.size > most:
        raise DubflowError(ErrorCode.TOO_LARGE, f"{source.name} has {source.size} bytes, at most {most} are taken")
    return source
