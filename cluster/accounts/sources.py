"""Which objects a tenant may name as sources.

The service reads with its own credentials, so an address that a caller gives is a way to other people's objects.
"""

from collections.abc import Iterable

from cluster.errors import DubflowError, ErrorCode

_SCHEME = "s3://"


def may_read(prefixes: Iterable[str], uri: str) -> bool:
    """Tell whether an object lies under one of the prefixes.

    Both are compared character by character, whole folders at a time: `s3://bucket/a` has `s3://bucket/a/b` under it,
    but neither `s3://bucket/ab` nor `s3://bucket/A/b`. S3 takes keys as they are, but servers before it may not: keys
    with folders named `.` or `..`, or with control characters or backslashes, lie under nothing.
    """
    return _is_plain(uri) and any(uri.startswith(normal_prefix(prefix)) for prefix in prefixes)


def normal_prefix(prefix: str) -> str:
    """A prefix that ends where a folder does.

    Raises:
        DubflowError: `invalid_request` for what is no `s3://bucket` or `s3://bucket/folder`.
    """
    folder = f"{prefix.rstrip('/')}/"
    if not _is_plain(folder):
        raise DubflowError(ErrorCode.INVALID_REQUEST, f"{prefix} is no prefix of sources; use s3://bucket/folder")
    return folder


def _is_plain(uri: str) -> bool:
    bucket, slash, key = uri.removeprefix(_SCHEME).partition("/")
    return (
        uri.startswith(_SCHEME)
        and bool(bucket and slash)
        and uri.isprintable()
        and "\\" not in uri
        and not {".", ".."} & {bucket, *key.split("/")}
    )
