"""What every blob store promises."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable
from unicodedata import category

from cluster.errors import DubflowError, ErrorCode

TEMPORARY_PREFIX = ".dubflow-"
"""Names of files in the making begin so; no key may."""

_REFUSED = {"Cc", "Cs"}  # control characters, and surrogates, which have no UTF-8
_MAX_KEY_BYTES = 900
_MAX_SEGMENT_BYTES = 255


class BlobStore(Protocol):
    """Named bytes. A store can be pickled, and used from any thread.

    Keys are relative paths: segments divided by `/`. A reader sees a blob whole or not at all, and what `put_*` has
    returned from survives a power cut. No key may be a folder of another.

    Every method raises DubflowError: `invalid_request` for a bad key, `not_found` for a missing one, `disk_full`, and
    `storage_failed` for all other troubles (of which some pass, so it is retryable).
    """

    def put_bytes(self, key: str, data: bytes) -> None:
        """Store bytes, instead of what was there."""
        ...

    def put_file(self, key: str, path: Path) -> None:
        """Store a copy of a local file, instead of what was there."""
        ...

    def put_together(self, blobs: Mapping[str, bytes | Path]) -> None:
        """Store bytes and copies of local files in this order, instead of what was there.

        None of them appears before there is room for all.
        """
        ...

    def put_new(self, key: str, data: bytes) -> bool:
        """Store bytes unless the key exists; True for the one writer whose bytes are there now."""
        ...

    def get_bytes(self, key: str) -> bytes:
        """Read a blob that fits into memory."""
        ...

    def get_range(self, key: str, start: int, size: int) -> bytes:
        """Read at most `size` bytes from byte `start` on; fewer where the blob ends."""
        ...

    def fetch(self, key: str, path: Path) -> None:
        """Copy a blob to a local file, which appears whole; missing folders are made."""
        ...

    def exists(self, key: str) -> bool:
        """Tell whether a blob is there."""
        ...

    def size(self, key: str) -> int:
        """A blob's length in bytes."""
        ...

    def keys(self, prefix: str = "") -> Iterator[str]:
        """All keys below a prefix of whole segments, in the order of their UTF-8 bytes, without holding them all."""
        ...

    def delete(self, key: str) -> None:
        """Remove a blob; one that is missing is removed already."""
        ...

    def delete_prefix(self, prefix: str) -> None:
        """Remove all blobs below a prefix of whole segments, which must not be empty."""
        ...

    def uri(self, key: str) -> str:
        """The blob's own URI, for people and other programs."""
        ...

    def sweep(self, older_than_seconds: float) -> int:
        """Remove what writers that died left unfinished so long ago; returns how many there were."""
        ...


@dataclass(frozen=True, slots=True)
class PartSize:
    """One part of a blob that arrives in parts: number from 1, and bytes."""

    number: int
    size: int


@runtime_checkable
class DirectBlobs(BlobStore, Protocol):
    """A store that other programs reach themselves, by links that expire."""

    def presigned_get(self, key: str, seconds: float, *, disposition: str, media_type: str) -> str:
        """A link that reads a blob; the other two are the headers of its answer."""
        ...

    def begin_multipart(self, key: str) -> str:
        """Begin a blob that arrives in parts; returns what names it until it is complete."""
        ...

    def presigned_parts(self, key: str, multipart: str, parts: Iterable[PartSize], seconds: float) -> list[str]:
        """Links that write (PUT) one part each."""
        ...

    def stored_parts(self, key: str, multipart: str) -> list[PartSize]:
        """The parts that have arrived, by number; `not_found` for what was completed, given up, or never begun."""
        ...

    def complete_multipart(self, key: str, multipart: str, size: int) -> None:
        """Make the blob of its parts; doing so again changes nothing.

        Raises:
            DubflowError: `conflict` where the blob has not that size.
        """
        ...

    def abort_multipart(self, key: str, multipart: str) -> None:
        """Drop all parts; those of something unknown are dropped already."""
        ...


@runtime_checkable
class FileBlobs(BlobStore, Protocol):
    """A store whose blobs are files that this process can open."""

    def local_path(self, key: str) -> Path:
        """The blob's file, whether it exists or not."""
        ...

    def writing_new(self, key: str) -> AbstractContextManager[BinaryIO]:
        """A file that becomes the blob, flushed to disk, when its context is left without an exception.

        Where the key exists by then, what is there stays.
        """
        ...

    def free_bytes(self) -> int:
        """Room that is left on the disk."""
        ...


def require_key(key: str) -> str:
    """Return the key if it is one.

    Raises:
        DubflowError: `invalid_request` for empty, `.` and `..` segments, absolute paths, control characters, text that
            is no UTF-8, names too long for a file, and names of unfinished files.
    """
    if any(category(character) in _REFUSED for character in key) or len(key.encode()) > _MAX_KEY_BYTES:
        raise _refusal(key)
    for segment in key.split("/"):
        reserved = segment in {"", ".", ".."} or segment.startswith(TEMPORARY_PREFIX)
        if reserved or "\\" in segment or len(segment.encode()) > _MAX_SEGMENT_BYTES:
            raise _refusal(key)
    return key


def _refusal(key: str) -> DubflowError:
    return DubflowError(ErrorCode.INVALID_REQUEST, f"{key!r} is no key: use relative paths of plain names")
