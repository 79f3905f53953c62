"""Everything that can go wrong and reach a person, with a stable code; docs/errors.md explains each code."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Promised names: extend, never rename."""

    UNSUPPORTED_MEDIA = "unsupported_media"
    NO_AUDIO = "no_audio"
    NO_SPEECH = "no_speech"
    TRUNCATED_MEDIA = "truncated_media"
    DECODER_CRASHED = "decoder_crashed"
    MEDIA_LIMIT = "media_limit"
    TOO_LARGE = "too_large"
    UNSUPPORTED_LANGUAGE = "unsupported_language"
    MODEL_MISSING = "model_missing"
    MODEL_LOAD_FAILED = "model_load_failed"
    LICENCE_REFUSED = "licence_refused"
    ENGINE_FAILED = "engine_failed"
    STORAGE_FAILED = "storage_failed"
    DISK_FULL = "disk_full"
    LEASE_LOST = "lease_lost"
    CANCELLED = "cancelled"
    WORKER_CRASHED = "worker_crashed"
    UNAUTHORIZED = "unauthorized"
    RATE_LIMITED = "rate_limited"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    INVALID_REQUEST = "invalid_request"
    SOURCE_CHANGED = "source_changed"
    DATABASE_FAILED = "database_failed"
    ENVIRONMENT = "environment"
    INTERNAL = "internal"


RETRYABLE = frozenset(
    {
        ErrorCode.MODEL_LOAD_FAILED,
        ErrorCode.STORAGE_FAILED,
        ErrorCode.DISK_FULL,
        ErrorCode.LEASE_LOST,
        ErrorCode.WORKER_CRASHED,
        ErrorCode.RATE_LIMITED,
        ErrorCode.DATABASE_FAILED,
    }
)
"""Codes of which a later attempt with the same input may succeed."""


class DubflowError(Exception):
    """An error that a person can act on.

    Args:
        code: The stable code.
        message: One line: what happened and what to do. Control characters are replaced, so that names taken from
            user input cannot break out of the line.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(code, _one_line(message))

    @property
    def code(self) -> ErrorCode:
        """The stable code."""
        code: ErrorCode = self.args[0]
        return code

    @property
    def message(self) -> str:
        """One line for a person."""
        return str(self.args[1])

    @property
    def retryable(self) -> bool:
        """True where the same input may succeed later on."""
        return self.code in RETRYABLE

    def __str__(self) -> str:
        return self.message


class LeaseLostError(DubflowError):
    """Another owner has taken the job, or it was cancelled: whoever sees this stops and writes nothing."""

    def __init__(self, message: str = "another worker has taken over this job") -> None:
        super().__init__(ErrorCode.LEASE_LOST, message)

    def __reduce__(self) -> tuple[object, ...]:
        return LeaseLostError, (self.message,)


class RateLimitedError(DubflowError):
    """More than somebody is allowed.

    Args:
        message: What there was too much of.
        retry_after: Seconds until trying again may help.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(ErrorCode.RATE_LIMITED, message)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, ...]:
        return RateLimitedError, (self.message, self.retry_after)


def _one_line(message: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in message.encode("utf-8", "replace").decode())
    return " ".join(printable.split())
