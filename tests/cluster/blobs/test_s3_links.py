from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from cluster.blobs.contract import PartSize
from cluster.blobs.s3 import S3Blobs
from cluster.errors import DubflowError, ErrorCode
from tests.fixtures.object_store import Fault, ObjectStore

MIB = 1024 * 1024
DATA = bytes(range(256)) * (6 * MIB // 256)
PARTS = [PartSize(1, 5 * MIB), PartSize(2, MIB)]


@pytest.fixture
def blobs(object_store: ObjectStore) -> S3Blobs:
    return S3Blobs(object_store.bucket(), "some/prefix", object_store.url)


def send(blobs: S3Blobs, multipart: str, parts: list[PartSize]) -> None:
    for part, link in zip(parts, blobs.presigned_parts("folder/blob", multipart, parts, 60), strict=True):
        start = (part.number - 1) * 5 * MIB
        httpx.put(link, content=DATA[start : start + part.size]).raise_for_status()


def test_a_link_reads_a_blob_under_the_name_that_it_says(blobs: S3Blobs) -> None:
    blobs.put_bytes("folder/blob", b"data")

    link = blobs.presigned_get("folder/blob", 60, disposition='attachment; filename="a.mp4"', media_type="video/mp4")
    answer = httpx.get(link)

    assert answer.content == b"data"
    assert answer.headers["content-disposition"] == 'attachment; filename="a.mp4"'
    assert answer.headers["content-type"] == "video/mp4"


def test_links_are_signed_the_new_way_expire_and_fix_the_length(blobs: S3Blobs) -> None:
    multipart = blobs.begin_multipart("folder/blob")
    (link,) = blobs.presigned_parts("folder/blob", multipart, PARTS[:1], 900)

    query = parse_qs(urlsplit(link).query)

    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["900"]
    assert "content-length" in query["X-Amz-SignedHeaders"][0].split(";")
    assert not any("checksum" in name.lower() for name in query), "a client that only knows PUT could not use the link"


def test_parts_become_the_blob(blobs: S3Blobs) -> None:
    multipart = blobs.begin_multipart("folder/blob")
    assert blobs.stored_parts("folder/blob", multipart) == []
    send(blobs, multipart, PARTS[1:])
    assert blobs.stored_parts("folder/blob", multipart) == PARTS[1:]
    send(blobs, multipart, PARTS)
    assert blobs.stored_parts("folder/blob", multipart) == PARTS

    for _ in range(2):
        blobs.complete_multipart("folder/blob", multipart, len(DATA))

    assert blobs.get_bytes("folder/blob") == DATA


def test_a_completion_whose_answer_is_lost_has_happened(object_store: ObjectStore, blobs: S3Blobs) -> None:
    multipart = blobs.begin_multipart("folder/blob")
    send(blobs, multipart, PARTS)
    object_store.server.faults = [Fault("POST", "lost answer", "uploadId"), Fault("POST", "gone", "uploadId")]

    blobs.complete_multipart("folder/blob", multipart, len(DATA))

    assert blobs.size("folder/blob") == len(DATA)


def test_a_blob_of_another_size_than_announced_is_a_conflict(blobs: S3Blobs) -> None:
    multipart = blobs.begin_multipart("folder/blob")
    send(blobs, multipart, PARTS)

    with pytest.raises(DubflowError) as refused:
        blobs.complete_multipart("folder/blob", multipart, len(DATA) + 1)

    assert refused.value.code is ErrorCode.CONFLICT


def test_parts_that_are_given_up_are_gone(blobs: S3Blobs) -> None:
    multipart = blobs.begin_multipart("folder/blob")
    send(blobs, multipart, PARTS[:1])

    for _ in range(2):
        blobs.abort_multipart("folder/blob", multipart)

    with pytest.raises(DubflowError) as unknown:
        blobs.stored_parts("folder/blob", multipart)
    assert unknown.value.code is ErrorCode.NOT_FOUND
    with pytest.raises(DubflowError):
        blobs.complete_multipart("folder/blob", multipart, len(DATA))
    assert not blobs.exists("folder/blob")
