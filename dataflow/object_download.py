"""Reads objects of S3-compatible servers: one version, in parallel ranges, with errors that a person understands."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from s3transfer.exceptions import CancelledError, RetriesExceededError, S3DownloadFailedError
from s3transfer.manager import TransferConfig, TransferManager
from s3transfer.subscribers import BaseSubscriber

from cluster.errors import DubflowError, ErrorCode, LeaseLostError
from cluster.objects import bucket_and_key, object_client, object_errors
from cluster.sources import changed
from dataflow.work import current

PART_BYTES = 16 << 20
"""Size of the ranges that are read side by side (AWS advises 8 to 16 MB)."""

PARTS_AT_ONCE = 8
QUEUED_WRITES = 64
"""Pieces of 256 KiB that may wait for the disk."""


def read_into(file: IO[bytes], address: str, etag: str, size: int, endpoint_url: str) -> None:
    """Read one version of an object into a seekable file; short and failed reads are repeated.

    Raises:
        DubflowError: NOT_FOUND, SOURCE_CHANGED, ENVIRONMENT (access denied) or STORAGE_FAILED.
    """
    bucket, key = bucket_and_key(address)
    config = TransferConfig(
        multipart_threshold=1,  # only ranges are conditional
        multipart_chunksize=PART_BYTES,
        max_request_concurrency=PARTS_AT_ONCE,
        max_io_queue_size=QUEUED_WRITES,
    )
    with _errors(address), TransferManager(object_client(endpoint_url), config) as manager:
        download = manager.download(bucket, key, file, subscribers=[_Pinned(etag, size)])
        with current().ending(download.cancel):
            download.result()


class _Pinned(BaseSubscriber):
    """Tells a transfer which version to read, so that every range is conditional on it."""

    def __init__(self, etag: str, size: int) -> None:
        self._etag = etag
        self._size = size

    def on_queued(self, future: Any, **_: Any) -> None:
        future.meta.provide_transfer_size(self._size)
        future.meta.provide_object_etag(f'"{self._etag}"')


@contextmanager
def _errors(address: str) -> Iterator[None]:
    name = address.rpartition("/")[2]
    with object_errors(address):
        try:
            yield
        except CancelledError:
            raise LeaseLostError("this job is not wanted any more") from None
        except S3DownloadFailedError as error:
            # What the transfer makes of a range whose condition does not hold.
            raise changed(name) from error
        except RetriesExceededError as error:
            raise DubflowError(ErrorCode.STORAGE_FAILED, f"{name} cannot be read from S3: {error}") from error
