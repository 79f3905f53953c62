"""The blob store that a URL names."""

from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from cluster.blobs.contract import BlobStore
from cluster.blobs.local import LocalBlobs
from cluster.errors import DubflowError, ErrorCode


def open_blobs(url: str, s3_endpoint_url: str = "") -> BlobStore:
    """Open the store at `file:///folder` or `s3://bucket/prefix`; nothing is touched before it is used.

    Args:
        url: Where the blobs live.
        s3_endpoint_url: Address of a server that speaks S3, other than Amazon's.

    Raises:
        DubflowError: `environment` for any other URL.
    """
    match urlsplit(url):
        case SplitResult(scheme="file", netloc="" | "localhost", path=path) if path.startswith("/"):
            return LocalBlobs(Path(unquote(path)))
        case SplitResult(scheme="s3", netloc=bucket, path=path) if bucket:
            from cluster.blobs.s3 import S3Blobs  # noqa: PLC0415 - boto3 takes long to import, and folders do not need it

            return S3Blobs(bucket, path.strip("/"), s3_endpoint_url)
    raise DubflowError(ErrorCode.ENVIRONMENT, f"{url!r} names no blob store; use file:///folder or s3://bucket/prefix")
