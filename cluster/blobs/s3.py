"""Blobs as objects of an S3 bucket, or of another server that speaks S3."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError

from cluster.blobs.contract import require_key
from cluster.blobs.faults import file_errors
from cluster.blobs.s3_bucket import TRIES, error_code, error_status
from cluster.blobs.s3_links import S3Links
from cluster.errors import DubflowError, ErrorCode

_PART_BYTES = 16 * 1024 * 1024
_TRANSFER = TransferConfig(
    multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, max_concurrency=4, num_download_attempts=TRIES
)
_WRITER = "dubflow-writer"
_BROKEN_BODY = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)


class S3Blobs(S3Links):
    """Objects below a prefix of a bucket; see S3Bucket for the arguments."""

    def put_bytes(self, key: str, data: bytes) -> None:
        """See BlobStore."""
        with self._errors(key):
            self._client.put_object(Bucket=self._bucket, Key=self._name(key), Body=data)

    def put_file(self, key: str, path: Path) -> None:
        """See BlobStore. Large files go in parts; those of an upload that fails are removed."""
        with self._errors(key), file_errors(path):
            try:
                self._client.upload_file(str(path), self._bucket, self._name(key), Config=_TRANSFER)
            except S3UploadFailedError as error:
                if not self._has_arrived(error, key, path):
                    raise

    def put_together(self, blobs: Mapping[str, bytes | Path]) -> None:
        """See BlobStore; a bucket has room for everything."""
        for key, content in blobs.items():
            if isinstance(content, Path):
                self.put_file(key, content)
            else:
                self.put_bytes(key, content)

    def put_new(self, key: str, data: bytes) -> bool:
        """See BlobStore."""
        writer = token_hex(16)
        with self._errors(key):
            for pause in (0.1, 0.2, 0.4, 0.8, None):
                try:
                    self._client.put_object(
                        Bucket=self._bucket, Key=self._name(key), Body=data, IfNoneMatch="*", Metadata={_WRITER: writer}
                    )
                except ClientError as error:
                    match error_status(error):
                        case 412:
                            return self._writer(key) == writer
                        case 409 if pause is not None:  # another conditional write is under way
                            time.sleep(pause)
                        case _:
                            raise
                else:
                    return True
        return False

    def get_bytes(self, key: str) -> bytes:
        """See BlobStore."""
        with self._errors(key):
            for _ in range(TRIES - 1):
                try:
                    return self._read(key)
                except _BROKEN_BODY:  # botocore tries requests again, but not bodies that break off
                    continue
            return self._read(key)

    def get_range(self, key: str, start: int, size: int) -> bytes:
        """See BlobStore."""
        wanted = f"bytes={start}-{start + size - 1}"
        with self._errors(key):
            try:
                return self._client.get_object(Bucket=self._bucket, Key=self._name(key), Range=wanted)["Body"].read()
            except ClientError as error:
                if error_code(error) == "InvalidRange":  # the blob ends before
                    return b""
                raise

    def fetch(self, key: str, path: Path) -> None:
        """See BlobStore."""
        with self._errors(key), file_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._client.download_file(self._bucket, self._name(key), str(path), Config=_TRANSFER)

    def exists(self, key: str) -> bool:
        """See BlobStore."""
        try:
            self.size(key)
        except DubflowError as error:
            if error.code is ErrorCode.NOT_FOUND:
                return False
            raise
        return True

    def size(self, key: str) -> int:
        """See BlobStore."""
        with self._errors(key):
            return self._client.head_object(Bucket=self._bucket, Key=self._name(key))["ContentLength"]

    def keys(self, prefix: str = "") -> Iterator[str]:
        """See BlobStore."""
        for page in self._pages(prefix):
            yield from (name.removeprefix(self._prefix) for name in page if not name.endswith("/"))

    def delete(self, key: str) -> None:
        """See BlobStore."""
        with self._errors(key):
            self._client.delete_object(Bucket=self._bucket, Key=self._name(key))

    def delete_prefix(self, prefix: str) -> None:
        """See BlobStore."""
        for page in self._pages(require_key(prefix)):
            with self._errors(prefix):
                answer = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": [{"Key": name} for name in page], "Quiet": True}
                )
            for refused in answer.get("Errors", []):
                raise DubflowError(
                    ErrorCode.STORAGE_FAILED,
                    f"S3 did not delete {refused.get('Key')} ({refused.get('Code')}); check the bucket's policy",
                )

    def uri(self, key: str) -> str:
        """`s3://bucket/prefix/key`."""
        return f"s3://{self._bucket}/{self._name(key)}"

    def sweep(self, older_than_seconds: float) -> int:
        """See BlobStore: ends uploads in parts that nobody completed."""
        latest = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        swept = 0
        with self._errors(self._prefix):
            pages = self._client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for upload in page.get("Uploads", []):
                    if upload["Initiated"] <= latest:
                        self._client.abort_multipart_upload(
                            Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )
                        swept += 1
        return swept

    def _read(self, key: str) -> bytes:
        return self._client.get_object(Bucket=self._bucket, Key=self._name(key))["Body"].read()

    def _writer(self, key: str) -> str | None:
        """Who wrote a new blob: a request whose answer was lost is sent again, and then finds its own work."""
        return self._client.head_object(Bucket=self._bucket, Key=self._name(key))["Metadata"].get(_WRITER)

    def _has_arrived(self, error: S3UploadFailedError, key: str, path: Path) -> bool:
        """True where an upload in parts was completed, its answer lost, and the repetition found no upload."""
        cause = error.__context__
        if not isinstance(cause, ClientError) or error_code(cause) != "NoSuchUpload":
            return False
        return self.exists(key) and self.size(key) == path.stat().st_size

    def _pages(self, prefix: str) -> Iterator[list[str]]:
        below = f"{self._name(prefix)}/" if prefix else self._prefix
        with self._errors(prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=below):
                if found := [item["Key"] for item in page.get("Contents", [])]:
                    yield found
