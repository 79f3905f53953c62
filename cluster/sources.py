"""What a source is: where it lies, and in which version."""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from cluster.errors import DubflowError, ErrorCode

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class SourceRef:
    """A source, as it was when it was described.

    Attributes:
        uri: `file:///...` with percent-encoding, or `s3://bucket/key` with the key as it is.
        version: Changes whenever the content does: size and time of a file, the ETag of an object.
        size: Bytes.
        name: The last part of the name, to show to people; not fit to open anything.
    """

    uri: str
    version: str
    size: int
    name: str


def describe_source(uri_or_path: str | Path, *, s3_endpoint_url: str = "") -> SourceRef:
    """Look a source up.

    Args:
        uri_or_path: `s3://bucket/key`, `file:///...` or the path of a local file.
        s3_endpoint_url: For S3-compatible servers.

    Raises:
        DubflowError: NOT_FOUND, INVALID_REQUEST (no such kind of URI), UNSUPPORTED_MEDIA (no regular file), ENVIRONMENT
            (access denied) or STORAGE_FAILED.
    """
    text = str(uri_or_path)
    if isinstance(uri_or_path, str) and text.startswith("s3://"):
        return _describe_object(text, s3_endpoint_url)
    if isinstance(uri_or_path, str) and text.startswith("file://"):
        return _describe_file(local_path(text))
    if isinstance(uri_or_path, str) and _SCHEME.match(text):
        scheme = text.partition(":")[0]
        raise DubflowError(ErrorCode.INVALID_REQUEST, f"{scheme} is no source; give a file or an s3:// address")
    return _describe_file(Path(os.path.abspath(text)))  # noqa: PTH100 - Path.resolve would follow links


def local_path(uri: str) -> Path:
    """The path that a `file://` URI names on this machine.

    Raises:
        DubflowError: INVALID_REQUEST where it names another machine.
    """
    parts = urlsplit(uri)
    if parts.netloc not in {"", "localhost"}:
        raise DubflowError(ErrorCode.INVALID_REQUEST, f"{parts.netloc} is another machine; copy the file here first")
    encoded = uri.removeprefix(f"file://{parts.netloc}")
    return Path(os.fsdecode(unquote_to_bytes(encoded)))


def _describe_file(path: Path) -> SourceRef:
    name = _shown(os.fsencode(path.name))
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DubflowError(ErrorCode.NOT_FOUND, f"there is no file {name}") from error
    except OSError as error:
        raise DubflowError(ErrorCode.STORAGE_FAILED, f"{name} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise DubflowError(ErrorCode.UNSUPPORTED_MEDIA, f"{name} is not a regular file")
    version = f"{status.st_size:x}-{status.st_mtime_ns:x}"
    return SourceRef(f"file://{quote_from_bytes(os.fsencode(path))}", version, status.st_size, name)


def _describe_object(uri: str, endpoint_url: str) -> SourceRef:
    from cluster.objects import look_up  # noqa: PLC0415 - boto3 takes long to import, and files do not need it

    etag, size = look_up(uri, endpoint_url)
    return SourceRef(uri, etag, size, _shown(uri.rpartition("/")[2].encode(errors="replace")))


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def changed(name: str) -> DubflowError:
    """The error of a source that is no longer what was described."""
    return DubflowError(ErrorCode.SOURCE_CHANGED, f"{name} has changed since the job was made; submit it again")
