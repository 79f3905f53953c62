"""A local file of a source. Objects in S3 are read once per node, whoever needs them."""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cluster.errors import DubflowError, ErrorCode
from cluster.sources import SourceRef, changed, describe_source, local_path
from dataflow.media.records import MediaLimits

SPARE_BYTES = 256 << 20
"""Disk space that a download leaves free."""


def fetch(source: SourceRef, folder: Path, limits: MediaLimits, *, s3_endpoint_url: str = "") -> Path:
    """A local file with exactly the content that was described.

    A local source is its own file. An object is downloaded in parallel ranges, each of them conditional on the ETag;
    processes that ask for the same one wait for one download, and later ones find it done.

    Args:
        source: A described source.
        folder: Where downloads of this node live; it is created.
        limits: What the source may cost.
        s3_endpoint_url: For S3-compatible servers.

    Raises:
        DubflowError: NOT_FOUND, SOURCE_CHANGED, TOO_LARGE, DISK_FULL, ENVIRONMENT (access denied) or STORAGE_FAILED.
    """
    if source.size > limits.max_bytes:
        message = f"{source.name} has {source.size} bytes, at most {limits.max_bytes} are allowed"
        raise DubflowError(ErrorCode.TOO_LARGE, message)
    if source.uri.startswith("file://"):
        path = local_path(source.uri)
        if describe_source(source.uri).version != source.version:
            raise changed(source.name)
        return path
    target = _target(source, folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(target):
        if not target.exists():
            _download(source, target, s3_endpoint_url)
    return target


def drop(source: SourceRef, folder: Path) -> None:
    """Remove what was fetched for a source; who has it open reads on, and who asks again fetches it again.

    Local sources stay. While somebody is fetching the source, nothing happens.

    Args:
        source: A described source.
        folder: Where downloads of this node live.
    """
    target = _target(source, folder)
    if source.uri.startswith("file://") or not _lock(target).exists():
        return
    try:
        with _locked(target, wait=False):
            target.unlink(missing_ok=True)
            _partial(target).unlink(missing_ok=True)
            _lock(target).unlink(missing_ok=True)
    except BlockingIOError:
        return


def keep_at_most(folder: Path, size: int) -> None:
    """Remove downloads that were not used for longest, until the others have at most `size` bytes.

    Those that somebody is fetching stay; who has one open reads on.
    """
    found = sorted(_downloads(folder), key=lambda one: one[1].st_mtime, reverse=True)
    kept = 0
    for target, status in found:
        kept += status.st_size
        if kept > size:
            with suppress(BlockingIOError), _locked(target, wait=False):
                target.unlink(missing_ok=True)
                _lock(target).unlink(missing_ok=True)


def _downloads(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.glob("*"):
        if not path.suffix:
            with suppress(FileNotFoundError):
                yield path, path.stat()


def _target(source: SourceRef, folder: Path) -> Path:
    """A name of our own making, so that nothing in the source's name means anything here."""
    identity = f"{source.uri}\n{source.version}".encode(errors="backslashreplace")
    return folder / hashlib.sha256(identity).hexdigest()


def _partial(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _lock(target: Path) -> Path:
    return target.with_name(f"{target.name}.lock")


@contextmanager
def _locked(target: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of one download against all processes of this node.

    Raises:
        BlockingIOError: Somebody else holds it, and `wait` is False.
    """
    path = _lock(target)
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it before may have removed the file: then a lock on it keeps nobody out.
            if _still_named(fd, path):
                yield
                return
        finally:
            os.close(fd)


def _still_named(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _download(source: SourceRef, target: Path, endpoint_url: str) -> None:
    from dataflow.object_download import read_into  # noqa: PLC0415 - boto3 takes long to import; files do without

    free = shutil.disk_usage(target.parent).free
    if free < source.size + SPARE_BYTES:
        message = f"{source.name} needs {source.size} bytes of disk space, {free} are free on this node"
        raise DubflowError(ErrorCode.DISK_FULL, message)
    partial = _partial(target)
    try:
        with partial.open("wb") as file:
            read_into(file, source.uri, source.version, source.size, endpoint_url)
        if partial.stat().st_size != source.size:
            raise DubflowError(ErrorCode.STORAGE_FAILED, f"{source.name} arrived incomplete")
        partial.replace(target)
    except OSError as error:
        code = ErrorCode.DISK_FULL if error.errno in {errno.ENOSPC, errno.EDQUOT} else ErrorCode.STORAGE_FAILED
        raise DubflowError(code, f"{source.name} cannot be stored: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
