"""The frames that parent and child exchange over pipes: one byte of kind, four of size, then the payload."""

import struct
from enum import Enum

HEADER = struct.Struct(">cI")


class Kind(Enum):
    """What a frame holds."""

    TEXT = b"T"
    """A JSON object: the request, or the reply that ends the conversation."""

    ERROR = b"E"
    """A JSON object with `code` and `message`, instead of a reply."""

    PCM = b"P"
    """float32 samples in the machine's byte order, at most a second or so."""

    END = b"Z"
    """No more PCM follows."""


LARGEST = {Kind.TEXT: 1 << 22, Kind.ERROR: 1 << 16, Kind.PCM: 1 << 24, Kind.END: 0}
"""Bytes that a payload may have. The child has read hostile data, so that the parent believes nothing it says."""


class BrokenFrameError(Exception):
    """A frame that no honest peer sends."""


def header(kind: Kind, size: int) -> bytes:
    """The bytes before a payload of `size` bytes."""
    return HEADER.pack(kind.value, size)


def parse_header(data: bytes | bytearray) -> tuple[Kind, int]:
    """Kind and payload size.

    Raises:
        BrokenFrameError: The kind is unknown or the size is more than such a frame may have.
    """
    code, size = HEADER.unpack(data)
    try:
        kind = Kind(code)
    except ValueError as unknown:
        raise BrokenFrameError(f"unknown frame {code!r}") from unknown
    if size > LARGEST[kind]:
        raise BrokenFrameError(f"a frame of {size} bytes, at most {LARGEST[kind]} are allowed")
    return kind, size
