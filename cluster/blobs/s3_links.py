"""Links into a bucket: who holds one reads or writes an object without our credentials, and without us in between."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from cluster.blobs.contract import PartSize
from cluster.blobs.s3_bucket import S3Bucket, error_code
from cluster.errors import DubflowError, ErrorCode

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, PartTypeDef


class S3Links(S3Bucket):
    """Presigned links: of S3 stores, beside what every store can do; see DirectBlobs."""

    def presigned_get(self, key: str, seconds: float, *, disposition: str, media_type: str) -> str:
        """See DirectBlobs."""
        with self._errors(key):
            return self._client.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self._bucket,
                    "Key": self._name(key),
                    "ResponseContentDisposition": disposition,
                    "ResponseContentType": media_type,
                },
                ExpiresIn=round(seconds),
            )

    def begin_multipart(self, key: str) -> str:
        """See DirectBlobs."""
        with self._errors(key):
            return self._client.create_multipart_upload(Bucket=self._bucket, Key=self._name(key))["UploadId"]

    def presigned_parts(self, key: str, multipart: str, parts: Iterable[PartSize], seconds: float) -> list[str]:
        """See DirectBlobs. The length is signed: no part can be larger than it was announced."""
        with self._errors(key):
            return [
                self._client.generate_presigned_url(
                    "upload_part",
                    Params={
                        "Bucket": self._bucket,
                        "Key": self._name(key),
                        "UploadId": multipart,
                        "PartNumber": part.number,
                        "ContentLength": part.size,
                    },
                    ExpiresIn=round(seconds),
                )
                for part in parts
            ]

    def stored_parts(self, key: str, multipart: str) -> list[PartSize]:
        """See DirectBlobs."""
        return [PartSize(part["PartNumber"], part["Size"]) for part in self._parts(key, multipart)]

    def complete_multipart(self, key: str, multipart: str, size: int) -> None:
        """See DirectBlobs."""
        try:
            self._complete(key, multipart)
        except DubflowError:
            if not self._is_whole(key, size):  # else the answer to an earlier try was lost
                raise
        if not self._is_whole(key, size):
            raise DubflowError(ErrorCode.CONFLICT, f"what S3 put together is not the {size} bytes that were announced")

    def abort_multipart(self, key: str, multipart: str) -> None:
        """See DirectBlobs."""
        with self._errors(key):
            try:
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._name(key), UploadId=multipart)
            except ClientError as error:
                if error_code(error) != "NoSuchUpload":
                    raise

    def _complete(self, key: str, multipart: str) -> None:
        listed: list[CompletedPartTypeDef] = [
            {"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in self._parts(key, multipart)
        ]
        with self._errors(key):
            self._client.complete_multipart_upload(
                Bucket=self._bucket, Key=self._name(key), UploadId=multipart, MultipartUpload={"Parts": listed}
            )

    def _parts(self, key: str, multipart: str) -> "list[PartTypeDef]":
        with self._errors(key):
            pages = self._client.get_paginator("list_parts").paginate(
                Bucket=self._bucket, Key=self._name(key), UploadId=multipart
            )
            try:
                return [part for page in pages for part in page.get("Parts", [])]
            except ClientError as error:
                if error_code(error) == "NoSuchUpload":
                    raise DubflowError(ErrorCode.NOT_FOUND, f"nothing is being uploaded to {key}") from error
                raise

    def _is_whole(self, key: str, size: int) -> bool:
        with self._errors(key):
            try:
                head = self._client.head_object(Bucket=self._bucket, Key=self._name(key))
            except ClientError as error:
                if error_code(error) in {"404", "NoSuchKey"}:
                    return False
                raise
            return head["ContentLength"] == size
