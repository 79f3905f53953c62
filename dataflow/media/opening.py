import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.records import MediaLimits


@contextmanager
def opened_source(path: Path, limits: MediaLimits) -> Iterator[int]:
    """Open a source for a child, as a descriptor.

    Raises:
        DubflowError: NOT_FOUND, UNSUPPORTED_MEDIA (no regular file, or an empty one), TOO_LARGE or STORAGE_FAILED.
    """
    try:
        # A named pipe without a writer must not block.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DubflowError(ErrorCode.NOT_FOUND, f"there is no file {path.name}") from error
    except OSError as error:
        raise DubflowError(ErrorCode.STORAGE_FAILED, f"{path.name} cannot be read: {error.strerror}") from error
    try:
        _check_file(os.fstat(fd), limits)
        yield fd
    finally:
        os.close(fd)


@contextmanager
def created_output(path: Path) -> Iterator[int]:
    """Create a file that vanishes where writing it fails.

    Raises:
        DubflowError: DISK_FULL or STORAGE_FAILED.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            yield fd
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
    except OSError as error:
        code = ErrorCode.DISK_FULL if error.errno in {errno.ENOSPC, errno.EDQUOT} else ErrorCode.STORAGE_FAILED
        raise DubflowError(code, f"{path.name} cannot be written: {error.strerror}") from error


def _check_file(status: os.stat_result, limits: MediaLimits) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise DubflowError(ErrorCode.UNSUPPORTED_MEDIA, "the source is not a regular file")
    if not status.st_size:
        raise DubflowError(ErrorCode.UNSUPPORTED_MEDIA, "the file is empty")
    if status.st_size > limits.max_bytes:
        message = f"the file has {status.st_size} bytes, at most {limits.max_bytes} are allowed"
        raise DubflowError(ErrorCode.TOO_LARGE, message)
