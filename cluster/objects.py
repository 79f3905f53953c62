"""Objects of S3-compatible servers that are not ours: looked up, with errors that a person understands."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from cluster.errors import DubflowError, ErrorCode

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECTIONS = 10
"""Of one client: enough to read an object in parallel ranges."""


def look_up(address: str, endpoint_url: str) -> tuple[str, int]:
    """ETag and size of an object.

    Args:
        address: `s3://bucket/key`, the key as it is.
        endpoint_url: Empty for AWS.

    Raises:
        DubflowError: NOT_FOUND, INVALID_REQUEST, ENVIRONMENT (access denied) or STORAGE_FAILED.
    """
    bucket, key = bucket_and_key(address)
    with object_errors(address):
        head = object_client(endpoint_url).head_object(Bucket=bucket, Key=key)
    return head["ETag"].strip('"'), head["ContentLength"]


def bucket_and_key(address: str) -> tuple[str, str]:
    """Take `s3://bucket/key` apart.

    Raises:
        DubflowError: INVALID_REQUEST where it names no object.
    """
    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not bucket or not key or key.endswith("/"):
        raise DubflowError(ErrorCode.INVALID_REQUEST, "an S3 source is s3://bucket/key; this address names no object")
    return bucket, key


@lru_cache(maxsize=4)
def object_client(endpoint_url: str) -> "S3Client":
    """This process's client for a server; empty is AWS."""
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 5},
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=CONNECTIONS,
    )
    return boto3.client("s3", endpoint_url=endpoint_url or None, config=config)


@contextmanager
def object_errors(address: str) -> Iterator[None]:
    """Turn what boto3 raises into DubflowError: NOT_FOUND, ENVIRONMENT (access denied) or STORAGE_FAILED."""
    name = address.rpartition("/")[2]
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == 404:  # noqa: PLR2004 - HTTP status codes are best known by their numbers
            raise DubflowError(ErrorCode.NOT_FOUND, f"there is no object {name} in the bucket") from error
        if status in {401, 403}:
            message = f"access to {name} is denied; check the credentials and the bucket's policy"
            raise DubflowError(ErrorCode.ENVIRONMENT, message) from error
        raise DubflowError(ErrorCode.STORAGE_FAILED, f"{name} cannot be read from S3: {error}") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise DubflowError(ErrorCode.ENVIRONMENT, "there are no credentials for S3; set AWS_* as for boto3") from error
    except BotoCoreError as error:
        raise DubflowError(ErrorCode.STORAGE_FAILED, f"{name} cannot be read from S3: {error}") from error
