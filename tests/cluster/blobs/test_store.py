from pathlib import Path

import pytest

from cluster.blobs.local import LocalBlobs
from cluster.blobs.s3 import S3Blobs
from cluster.blobs.store import open_blobs
from cluster.errors import DubflowError, ErrorCode


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a folder" / "ü#1"
    blobs = open_blobs(folder.as_uri())

    assert isinstance(blobs, LocalBlobs)
    assert not folder.exists()
    blobs.put_bytes("blob", b"data")
    assert (folder / "blob").read_bytes() == b"data"


def test_an_s3_url_is_a_bucket_and_a_prefix() -> None:
    blobs = open_blobs("s3://bucket/some/prefix/")

    assert isinstance(blobs, S3Blobs)
    assert blobs.uri("blob") == "s3://bucket/some/prefix/blob"
    assert open_blobs("s3://bucket").uri("blob") == "s3://bucket/blob"


@pytest.mark.parametrize("url", ["", "/folder", "file:folder", "file://host/folder", "s3:///key", "gs://bucket/prefix"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(DubflowError, match="names no blob store") as refused:
        open_blobs(url)

    assert refused.value.code is ErrorCode.ENVIRONMENT
