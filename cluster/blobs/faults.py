"""What an error of the operating system means to somebody who stores files."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.errors import DubflowError, ErrorCode

_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def file_errors(where: object, *, missing: str = "") -> Iterator[None]:
    """Turn OSError into DubflowError.

    Args:
        where: The file or folder that the message names, where the error itself names none.
        missing: What is not there where a file is missing; empty where a missing file is like any other trouble.
    """
    try:
        yield
    except OSError as error:
        raise _explained(error, where, missing) from error


def _explained(error: OSError, where: object, missing: str) -> DubflowError:
    place = error.filename or where
    if error.errno in _FULL:
        return DubflowError(ErrorCode.DISK_FULL, f"no space is left for {place}; free some")
    if missing and isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return DubflowError(ErrorCode.NOT_FOUND, missing)
    if isinstance(error, PermissionError):
        return DubflowError(ErrorCode.STORAGE_FAILED, f"{place} may not be used by this account; check its owner")
    return DubflowError(ErrorCode.STORAGE_FAILED, f"{place} cannot be used: {error.strerror or error}")
