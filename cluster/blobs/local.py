"""Blobs as files of one folder."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from errno import ENOENT
from io import BufferedWriter
from pathlib import Path
from secrets import token_hex
from stat import S_ISDIR
from typing import BinaryIO

from cluster.blobs.contract import TEMPORARY_PREFIX, require_key
from cluster.blobs.faults import file_errors
from cluster.errors import DubflowError, ErrorCode

_CHUNK = 1024 * 1024
_FOLDER_TRIES = 20


class LocalBlobs:
    """A folder that is written as databases write their files.

    Bytes go to a file of another name in the same folder, are flushed to the disk, and only then get their name; the
    folder is flushed too, or a power cut could take the name back.

    Args:
        root: The folder; made when the first blob is stored.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def put_bytes(self, key: str, data: bytes) -> None:
        """See BlobStore."""
        self.put_together({key: data})

    def put_file(self, key: str, path: Path) -> None:
        """See BlobStore."""
        self.put_together({key: path})

    def put_together(self, blobs: Mapping[str, bytes | Path]) -> None:
        """See BlobStore."""
        with ExitStack() as unfinished:
            written = {key: unfinished.enter_context(self._written(key, content)) for key, content in blobs.items()}
            for key, file in written.items():
                _place(file, self._path(key), _replace)

    def put_new(self, key: str, data: bytes) -> bool:
        """See BlobStore."""
        with self._written(key, data) as file:
            return _place(file, self._path(key), _link)

    def get_bytes(self, key: str) -> bytes:
        """See BlobStore."""
        path = self._path(key)
        with file_errors(path, missing=_missing(key)):
            return path.read_bytes()

    def get_range(self, key: str, start: int, size: int) -> bytes:
        """See BlobStore."""
        path = self._path(key)
        with file_errors(path, missing=_missing(key)), path.open("rb") as file:
            file.seek(start)
            return file.read(size)

    def fetch(self, key: str, path: Path) -> None:
        """See BlobStore."""
        blob = self._path(key)
        with file_errors(blob, missing=_missing(key)):
            source = blob.open("rb")
        with source, file_errors(path), _unfinished(path.parent) as file:
            shutil.copyfileobj(source, file, _CHUNK)
            file.flush()
            Path(file.name).replace(path)

    def exists(self, key: str) -> bool:
        """See BlobStore."""
        path = self._path(key)
        with file_errors(path):
            return path.is_file()

    def size(self, key: str) -> int:
        """See BlobStore."""
        path = self._path(key)
        with file_errors(path, missing=_missing(key)):
            found = path.stat()
        if S_ISDIR(found.st_mode):
            raise DubflowError(ErrorCode.NOT_FOUND, _missing(key))
        return found.st_size

    def keys(self, prefix: str = "") -> Iterator[str]:
        """See BlobStore."""
        folder = self._path(prefix) if prefix else self._root
        with file_errors(folder):
            for path in _files(folder):
                if not path.name.startswith(TEMPORARY_PREFIX):
                    yield path.relative_to(self._root).as_posix()

    def delete(self, key: str) -> None:
        """See BlobStore; folders that become empty go too."""
        path = self._path(key)
        with file_errors(path):
            path.unlink(missing_ok=True)
            self._prune(path.parent)

    def delete_prefix(self, prefix: str) -> None:
        """See BlobStore."""
        folder = self._path(prefix)
        with file_errors(folder):
            for path in _files(folder):
                path.unlink(missing_ok=True)
                self._prune(path.parent)

    def uri(self, key: str) -> str:
        """`file:///folder/key`, percent-encoded."""
        return self._path(key).as_uri()

    def sweep(self, older_than_seconds: float) -> int:
        """See BlobStore."""
        latest = time.time() - older_than_seconds
        swept = 0
        with file_errors(self._root):
            for path in _files(self._root):
                if path.name.startswith(TEMPORARY_PREFIX) and path.stat().st_mtime <= latest:
                    path.unlink(missing_ok=True)
                    swept += 1
        return swept

    def local_path(self, key: str) -> Path:
        """See FileBlobs."""
        return self._path(key)

    @contextmanager
    def writing_new(self, key: str) -> Iterator[BinaryIO]:
        """See FileBlobs."""
        target = self._path(key)
        with file_errors(target), _unfinished(target.parent) as file:
            yield file
            _secure(file)
            _place(file, target, _link)

    def free_bytes(self) -> int:
        """See FileBlobs."""
        folder = self._root
        while not folder.exists():
            folder = folder.parent
        with file_errors(folder):
            return shutil.disk_usage(folder).free

    def _path(self, key: str) -> Path:
        return self._root / require_key(key)

    @contextmanager
    def _written(self, key: str, content: bytes | Path) -> Iterator[BufferedWriter]:
        """An unfinished file beside the key's, its content safe on the disk."""
        target = self._path(key)
        with file_errors(target), _unfinished(target.parent) as file:
            if isinstance(content, Path):
                with file_errors(content):
                    source = content.open("rb")
                with source:
                    shutil.copyfileobj(source, file, _CHUNK)
            else:
                file.write(content)
            _secure(file)
            yield file

    def _prune(self, folder: Path) -> None:
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:  # not empty, or gone already
                return
            folder = folder.parent


def _secure(file: BufferedWriter) -> None:
    file.flush()
    os.fsync(file.fileno())


def _place(file: BufferedWriter, target: Path, place: Callable[[Path, Path], bool]) -> bool:
    placed = place(Path(file.name), target)
    _flush(target.parent)
    return placed


@contextmanager
def _unfinished(folder: Path) -> Iterator[BufferedWriter]:
    """A new file in the folder, under a name that no key has; removed again if it keeps that name."""
    with _create(folder) as file:
        try:
            yield file
        finally:
            Path(file.name).unlink(missing_ok=True)


def _create(folder: Path) -> BufferedWriter:
    for _ in range(_FOLDER_TRIES):
        try:
            _make(folder)
            return (folder / f"{TEMPORARY_PREFIX}{token_hex(8)}").open("xb")
        except FileNotFoundError:  # somebody deleted the last blob, and with it the folder, just now
            continue
    raise FileNotFoundError(ENOENT, "the folder is removed again and again", str(folder))


def _make(folder: Path) -> None:
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        _flush(folder.parent)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(unfinished: Path, target: Path) -> bool:
    unfinished.replace(target)
    return True


def _link(unfinished: Path, target: Path) -> bool:
    # Unlike a rename, a second name is refused where the name is taken, so one of many writers wins.
    try:
        target.hardlink_to(unfinished)
    except FileExistsError:
        return False
    return True


def _files(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=_order)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        else:
            yield Path(entry.path)


def _order(entry: os.DirEntry[str]) -> bytes:
    # S3 orders whole keys: what is in the folder "a" comes after "a-b" and before "a0".
    return os.fsencode(entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name)


def _missing(key: str) -> str:
    return f"there is no {key} in the blob store"
