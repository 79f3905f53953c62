"""What both ways of taking a file in promise alike."""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.records import Upload
from cluster.settings import Settings
from serve_apps.media_types import EXTENSIONS
from serve_apps.uploads.parts import Parts


@dataclass(frozen=True, slots=True)
class PartLink:
    """Where a part is sent (PUT), and whether it is there already."""

    number: int
    offset: int
    size: int
    url: str
    received: bool


@dataclass(frozen=True, slots=True)
class Arrived:
    """How far an upload is.

    Attributes:
        offset: Bytes that are there without a gap before them.
        parts: Numbers of the parts that are there whole.
    """

    offset: int
    parts: frozenset[int]


class Intake(Protocol):
    """One way of taking files in."""

    direct: bool
    """Parts go straight to the store, in any order and without an API key."""

    def parts(self, size: int) -> Parts:
        """How a file is divided."""
        ...

    def begin(self, key: str, size: int) -> str:
        """Prepare for a file; returns the store's own name for it, where it has one.

        Raises:
            DubflowError: `disk_full` where there is no room for it.
        """
        ...

    def arrived(self, upload: Upload) -> Arrived:
        """What is there."""
        ...

    def links(self, upload: Upload, first: int, count: int) -> list[PartLink]:
        """Where to send some of the parts."""
        ...

    def complete(self, upload: Upload) -> Upload:
        """Make the blob once all of it is there and is media; doing so again changes nothing.

        Raises:
            DubflowError: `conflict` where something is missing; `unsupported_media`, and then the upload is gone.
        """
        ...


def require_acceptable(name: str, size: int, settings: Settings) -> None:
    """Refuse a file before its first byte.

    Raises:
        DubflowError: `too_large`, `unsupported_media`.
    """
    if size > settings.max_source_bytes:
        raise DubflowError(
            ErrorCode.TOO_LARGE, f"the file has {size} bytes, at most {settings.max_source_bytes} are allowed"
        )
    if PurePath(name).suffix.lower() not in EXTENSIONS:
        known = " ".join(sorted(EXTENSIONS))
        raise DubflowError(ErrorCode.UNSUPPORTED_MEDIA, f"files with this name are not taken; send one of {known}")
