"""Errors as RFC 9457 problem documents: every answer that is no success has this one form."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from cluster.errors import RETRYABLE, DubflowError, ErrorCode, RateLimitedError
from cluster.metrics import ERRORS
from serve_apps.request_context import request_id

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_SECONDS = "5"
_SERVER_ERRORS = 500

STATUS: Mapping[ErrorCode, HTTPStatus] = {
    ErrorCode.UNSUPPORTED_MEDIA: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ErrorCode.NO_AUDIO: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.NO_SPEECH: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.TRUNCATED_MEDIA: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.DECODER_CRASHED: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.MEDIA_LIMIT: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorCode.UNSUPPORTED_LANGUAGE: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.MODEL_MISSING: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.MODEL_LOAD_FAILED: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.LICENCE_REFUSED: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.ENGINE_FAILED: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.STORAGE_FAILED: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.DISK_FULL: HTTPStatus.INSUFFICIENT_STORAGE,
    ErrorCode.LEASE_LOST: HTTPStatus.CONFLICT,
    ErrorCode.CANCELLED: HTTPStatus.CONFLICT,
    ErrorCode.WORKER_CRASHED: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    ErrorCode.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.CONFLICT: HTTPStatus.CONFLICT,
    ErrorCode.INVALID_REQUEST: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.SOURCE_CHANGED: HTTPStatus.CONFLICT,
    ErrorCode.DATABASE_FAILED: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.ENVIRONMENT: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}

_PUBLIC_DETAIL: Mapping[ErrorCode, str] = {
    ErrorCode.DATABASE_FAILED: "the service cannot reach its database; try again in a moment",
    ErrorCode.STORAGE_FAILED: "the service cannot reach its storage; try again in a moment",
    ErrorCode.DISK_FULL: "the service has no space left; try again later",
    ErrorCode.ENVIRONMENT: "the service is not set up completely; its operator finds the reason in the log",
    ErrorCode.INTERNAL: "the service failed in an unforeseen way; quote the request id to its operator",
}
"""Instead of messages that are for the operator: those name hosts, folders and buckets."""

_CODES: Mapping[int, ErrorCode] = {
    401: ErrorCode.UNAUTHORIZED,
    403: ErrorCode.UNAUTHORIZED,
    404: ErrorCode.NOT_FOUND,
    409: ErrorCode.CONFLICT,
    413: ErrorCode.TOO_LARGE,
    415: ErrorCode.UNSUPPORTED_MEDIA,
    429: ErrorCode.RATE_LIMITED,
}

_log = structlog.get_logger(__name__)


class ProblemError(DubflowError):
    """An error whose answer needs more than its code says.

    Args:
        code: The stable code.
        message: As DubflowError's.
        status: Another status than the code's own.
        headers: E.g. `Retry-After`.
        errors: What is wrong with each field: `{"field", "message"}`.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(code, message)
        self.status = status
        self.headers = dict(headers or {})
        self.errors = [dict(error) for error in errors]


def install(app: FastAPI) -> None:
    """Let the application answer every error as a problem."""
    for kind in (DubflowError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, respond)


def respond(connection: HTTPConnection, error: Exception) -> Response:
    """The answer for any exception; what is not for callers is logged, and they are told nothing about it."""
    match error:
        case ProblemError():
            answer = _problem(
                connection, error.code, error.message, status=error.status, headers=error.headers, errors=error.errors
            )
        case RateLimitedError():
            headers = {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
            answer = _problem(connection, error.code, error.message, headers=headers)
        case DubflowError():
            answer = _problem(connection, error.code, error.message)
        case RequestValidationError():
            answer = _invalid(connection, error)
        case HTTPException():
            answer = _refused(connection, error)
        case _:
            _log.error("unforeseen", path=connection.url.path, exc_info=error)
            return _problem(connection, ErrorCode.INTERNAL, "")
    if isinstance(error, DubflowError) and error.code in _PUBLIC_DETAIL:
        _log.error("failed", path=connection.url.path, code=error.code.value, reason=error.message)
    return answer


def _invalid(connection: HTTPConnection, error: RequestValidationError) -> Response:
    # What was sent is not sent back: it may be long, and pages that show errors should not carry a stranger's text.
    errors = [{"field": ".".join(map(str, one["loc"])), "message": str(one["msg"])} for one in error.errors()]
    summary = "; ".join(f"{one['field']}: {one['message']}" for one in errors[:3])
    return _problem(connection, ErrorCode.INVALID_REQUEST, f"the request is not valid: {summary}", errors=errors)


def _refused(connection: HTTPConnection, error: HTTPException) -> Response:
    fallback = ErrorCode.INVALID_REQUEST if error.status_code < _SERVER_ERRORS else ErrorCode.INTERNAL
    code = _CODES.get(error.status_code, fallback)
    return _problem(connection, code, error.detail, status=error.status_code, headers=error.headers)


def _problem(
    connection: HTTPConnection,
    code: ErrorCode,
    detail: str,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> Response:
    ERRORS.add(code=code.value, where="http")
    status = STATUS[code] if status is None else status
    headers = dict(headers or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", _RETRY_AFTER_SECONDS)
    if status == HTTPStatus.UNAUTHORIZED:
        headers.setdefault("WWW-Authenticate", "Bearer")
    content = {
        "type": f"urn:dubflow:error:{code.value}",
        "title": code.value.replace("_", " ").capitalize(),
        "status": int(status),
        "detail": _PUBLIC_DETAIL.get(code, detail),
        "instance": connection.url.path,
        "code": code.value,
        "retryable": code in RETRYABLE,
        "request_id": request_id(connection),
        "errors": list(errors),
    }
    return JSONResponse(content, status, headers, MEDIA_TYPE)
