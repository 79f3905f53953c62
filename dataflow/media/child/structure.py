"""Whether all bytes of a file are there, by the sizes that containers state of themselves; no media is parsed."""

import os
from dataclasses import dataclass

BOXES_AT_MOST = 1_000_000

RIFF_PLACEHOLDER = 0x7FFFF000
"""Programs that write to a pipe put sizes from here on where they cannot come back to put the right one."""


@dataclass(frozen=True, slots=True)
class Structure:
    """What the outermost layer of a container says.

    Attributes:
        missing_bytes: Bytes that should follow the end of the file; None where the container does not tell.
        headless: True for an MP4 family file without the `moov` box, which tells where everything is.
        fragmented: True for an MP4 family file whose `moov` box does not know of all samples.
    """

    missing_bytes: int | None
    headless: bool = False
    fragmented: bool = False


def inspect(fd: int) -> Structure:
    """Read the outermost sizes of MP4 (ISO/IEC 14496-12), Matroska (RFC 9559) and RIFF files.

    Args:
        fd: A regular file; its position is left alone.
    """
    size = os.fstat(fd).st_size
    start = os.pread(fd, 12, 0)
    if start[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp"}:
        return _inspect_boxes(fd, size)
    if start[:4] == b"\x1aE\xdf\xa3":
        return _inspect_matroska(fd, size)
    if start[:4] == b"RIFF":
        return _inspect_riff(fd, size)
    return Structure(None)


def _inspect_boxes(fd: int, size: int) -> Structure:
    position, headless, fragmented = 0, True, False
    for _ in range(BOXES_AT_MOST):
        head = os.pread(fd, 16, position)
        if len(head) < 8:  # noqa: PLR2004 - a box begins with four bytes of size and four of type
            break
        length, kind = int.from_bytes(head[:4]), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16])
        headless = headless and kind != b"moov"
        fragmented = fragmented or kind == b"moof"
        position = size if length == 0 else position + max(length, 8)
    return Structure(max(0, position - size), headless, fragmented)


def _inspect_matroska(fd: int, size: int) -> Structure:
    position = 0
    for _ in range(2):  # the EBML header, then the one segment
        head = os.pread(fd, 12, position)
        length, width = _matroska_size(head[4:])
        if length is None:
            return Structure(None)
        position += 4 + width + length
    return Structure(max(0, position - size))


def _matroska_size(data: bytes) -> tuple[int | None, int]:
    """Value and width of a variable-size integer; None where it says that the size is unknown."""
    width = 9 - data[0].bit_length() if data else 9
    if width > len(data):
        return None, 0
    value = int.from_bytes(data[:width]) & ((1 << (7 * width)) - 1)
    return (None if value == (1 << (7 * width)) - 1 else value), width


def _inspect_riff(fd: int, size: int) -> Structure:
    position = 0
    for _ in range(BOXES_AT_MOST):  # AVI files over 1 GB are several RIFF chunks
        head = os.pread(fd, 8, position)
        length = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF":
            break
        if length == 0 or length >= RIFF_PLACEHOLDER:
            return Structure(None)
        position += 8 + length + length % 2
    # The padding byte of an odd chunk is often left out at the end of a file.
    return Structure(max(0, position - size - 1))
