"""One bucket of S3, or of another server that speaks S3: its connection, names and errors."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from boto3.exceptions import Boto3Error, S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from cluster.blobs.contract import require_key
from cluster.errors import DubflowError, ErrorCode

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TRIES = 5

# Checksums (CRC32) of what goes out and comes in are botocore's default, and can be switched off by
# AWS_REQUEST_CHECKSUM_CALCULATION for servers that do not know them.
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": TRIES},
    connect_timeout=5,
    read_timeout=60,
    tcp_keepalive=True,
    signature_version="s3v4",  # the default for presigned links is an older one, which signs no headers
)
_PATHS = Config(s3={"addressing_style": "path"})
_REFUSED = {"403", "AccessDenied", "ExpiredToken", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
_MISSING = {"404", "NoSuchKey", "NotFound"}


class S3Bucket:
    """A prefix of a bucket, and the connection to it.

    Credentials and region are those that boto3 finds. Each process opens its own connections when it first needs them.

    Args:
        bucket: Name of an existing bucket.
        prefix: Path within it, or empty.
        endpoint_url: Address of a server other than Amazon's; its buckets are then addressed by path.
    """

    def __init__(self, bucket: str, prefix: str = "", endpoint_url: str = "") -> None:
        self._bucket = bucket
        self._prefix = f"{require_key(prefix)}/" if prefix else ""
        self._endpoint_url = endpoint_url
        self._opened: tuple[int, S3Client] | None = None
        self._opening = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._bucket, self._prefix.removesuffix("/"), self._endpoint_url)

    @property
    def _client(self) -> "S3Client":
        # One client for all threads, another one after a fork; creating clients is not safe between threads.
        with self._opening:
            if self._opened is None or self._opened[0] != os.getpid():
                config = _CONFIG.merge(_PATHS) if self._endpoint_url else _CONFIG
                session = boto3.session.Session()
                client = session.client("s3", endpoint_url=self._endpoint_url or None, config=config)
                self._opened = os.getpid(), client
            return self._opened[1]

    def _name(self, key: str) -> str:
        return self._prefix + require_key(key)

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._explained(error, key) from error
        except NoCredentialsError as error:
            advice = "no AWS credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            raise DubflowError(ErrorCode.STORAGE_FAILED, advice) from error
        except (BotoCoreError, Boto3Error) as error:
            cause = error.__context__ if isinstance(error, S3UploadFailedError) else None
            if isinstance(cause, ClientError):
                raise self._explained(cause, key) from error
            raise DubflowError(ErrorCode.STORAGE_FAILED, f"S3 failed for s3://{self._bucket}/{key}: {error}") from error

    def _explained(self, error: ClientError, key: str) -> DubflowError:
        code, where = error_code(error), f"s3://{self._bucket}/{self._prefix}{key}"
        if code in _MISSING:
            return DubflowError(ErrorCode.NOT_FOUND, f"there is no {where}")
        if code == "NoSuchBucket":
            return DubflowError(
                ErrorCode.STORAGE_FAILED, f"there is no bucket {self._bucket}; make it or correct the URL"
            )
        if code in _REFUSED:
            advice = "check the AWS_* credentials and the bucket's policy"
            return DubflowError(ErrorCode.STORAGE_FAILED, f"S3 refuses access to {where} ({code}); {advice}")
        return DubflowError(ErrorCode.STORAGE_FAILED, f"S3 failed for {where} ({code}); try again later")


def error_code(error: ClientError) -> str:
    """What S3 calls it."""
    return error.response.get("Error", {}).get("Code", "unknown")


def error_status(error: ClientError) -> int:
    """The answer's HTTP status."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"]
