"""How a file is divided into parts, and where they lie."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from cluster import layout
from cluster.blobs.contract import PartSize
from cluster.ledger.records import Upload

MIB = 1024 * 1024

CHUNK_BYTES = 8 * MIB
"""A part that comes through the doors. Serve holds what a request sends in memory, so that it is small."""

MAX_CHUNK_BYTES = 16 * MIB
"""A larger one is refused."""

OBJECT_PART_BYTES = 16 * MIB
"""A part that goes straight to an object store, unless that made too many of them."""

MAX_OBJECT_PARTS = 10_000
"""S3's limit."""

_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a file: all of one size but the last, which may be shorter.

    Attributes:
        size: Bytes of the file, at least 1.
        part_bytes: Bytes of a part.
    """

    size: int
    part_bytes: int

    @classmethod
    def for_chunks(cls, size: int) -> "Parts":
        """Parts that come through the doors."""
        return cls(size, CHUNK_BYTES)

    @classmethod
    def for_objects(cls, size: int) -> "Parts":
        """Parts that go straight to an object store."""
        whole_mib = -(-size // (MAX_OBJECT_PARTS * MIB)) * MIB
        return cls(size, max(OBJECT_PART_BYTES, whole_mib))

    @property
    def count(self) -> int:
        """How many there are."""
        return -(-self.size // self.part_bytes)

    def offset(self, number: int) -> int:
        """Bytes before a part; numbers count from 1."""
        return (number - 1) * self.part_bytes

    def part(self, number: int) -> PartSize:
        """One part."""
        return PartSize(number, min(self.part_bytes, self.size - self.offset(number)))

    def some(self, first: int, count: int) -> Iterator[PartSize]:
        """At most so many parts, from a number on."""
        return (self.part(number) for number in range(first, min(first + count, self.count + 1)))


def source_key(tenant: str, upload_id: str, name: str) -> str:
    """The blob's key. Of the name that a stranger gave only a plain suffix is taken over."""
    suffix = PurePath(name).suffix.lower()
    return f"{layout.upload(tenant, upload_id)}/source{suffix if _SUFFIX.fullmatch(suffix) else ''}"


def chunk_folder(upload: Upload) -> str:
    """The prefix of an upload's chunks."""
    return f"{layout.upload(upload.tenant, upload.id)}/chunks"
