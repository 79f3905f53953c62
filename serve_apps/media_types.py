"""What counts as video or audio before anybody decodes it: a name and some first bytes that agree with that.

The media child decides in the end; this keeps obvious mistakes, and texts that make players open other files, out of
the blob store.
"""

import puremagic

from cluster.errors import DubflowError, ErrorCode

_VIDEO = "mp4 m4v mov mkv webm avi mpg mpeg ts mts m2ts flv wmv mxf"
_AUDIO = "mp3 m4a aac wav flac ogg oga opus wma ac3 aiff aif caf amr"
EXTENSIONS = frozenset(f".{name}" for name in f"{_VIDEO} {_AUDIO}".split())
HEAD_BYTES = 4096

_KINDS = ("video/", "audio/")
_OTHER_NAMES = frozenset({"application/x-matroska", "application/mxf", "application/ogg", "application/x-caf"})
_EXTENSIONS_WITHOUT_NAME = frozenset({".amr", ".mxf", ".caf", ".ac3", ".wma", ".wmv", ".asf", ".aiff", ".aif"})
_PLAYLISTS = ("mpegurl", "playlist", "scpls")
_SYNC = 0x47
_PACKETS = ((0, 188), (4, 192))
"""Where the packets of an MPEG transport stream begin, and how long they are: plain, and with time stamps."""


def require_media(extension: str, head: bytes) -> None:
    """Refuse what is no media file by its name or its first bytes.

    Args:
        extension: Of the file's name, lower case, with its dot.
        head: The first `HEAD_BYTES`, or fewer where the file has no more.

    Raises:
        DubflowError: `unsupported_media`.
    """
    if extension not in EXTENSIONS:
        known = " ".join(sorted(EXTENSIONS))
        raise _refusal(f"files named *{extension} are not taken; send one of {known}" if extension else _NO_EXTENSION)
    if not head:
        raise _refusal("the file is empty; send it again")
    if not (_is_transport_stream(head) or _is_known(head)):
        raise _refusal("by its content the file is neither video nor audio; check that it is the right one")


_NO_EXTENSION = "the file's name has no extension; name it like talk.mp4"


def _is_known(head: bytes) -> bool:
    try:
        found = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return False
    if any(word in match.mime_type for match in found for word in _PLAYLISTS):
        return False
    return any(
        match.mime_type.startswith(_KINDS)
        or match.mime_type in _OTHER_NAMES
        or match.extension in _EXTENSIONS_WITHOUT_NAME
        for match in found
    )


def _is_transport_stream(head: bytes) -> bool:
    return any(
        len(head) > first + 2 * length and all(head[at] == _SYNC for at in range(first, len(head), length))
        for first, length in _PACKETS
    )


def _refusal(message: str) -> DubflowError:
    return DubflowError(ErrorCode.UNSUPPORTED_MEDIA, message)
