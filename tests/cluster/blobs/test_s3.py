import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.blobs.s3 import S3Blobs
from cluster.errors import DubflowError, ErrorCode
from tests.fixtures.object_store import Fault, ObjectStore

LARGE = 17 * 1024 * 1024
"""More than one part of an upload."""


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore and our own code try again at once."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)


@pytest.fixture
def bucket(object_store: ObjectStore) -> str:
    return object_store.bucket()


@pytest.fixture
def blobs(object_store: ObjectStore, bucket: str) -> S3Blobs:
    return S3Blobs(bucket, "some/prefix", object_store.url)


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(b"0123456789abcdef" * (LARGE // 16))
    return path


def uploads(object_store: ObjectStore, bucket: str) -> list[str]:
    answer = object_store.client().list_multipart_uploads(Bucket=bucket)
    return [upload["Key"] for upload in answer.get("Uploads", [])]


def test_keys_live_below_the_prefix(object_store: ObjectStore, bucket: str, blobs: S3Blobs) -> None:
    blobs.put_bytes("folder/blob", b"data")
    object_store.client().put_object(Bucket=bucket, Key="some/prefix2/other", Body=b"")
    object_store.client().put_object(Bucket=bucket, Key="some/prefix/folder/", Body=b"")

    assert object_store.client().get_object(Bucket=bucket, Key="some/prefix/folder/blob")["Body"].read() == b"data"
    assert list(blobs.keys()) == ["folder/blob"]
    assert blobs.uri("folder/blob") == f"s3://{bucket}/some/prefix/folder/blob"


def test_a_whole_bucket_is_a_store_too(object_store: ObjectStore, bucket: str) -> None:
    blobs = S3Blobs(bucket, "", object_store.url)
    blobs.put_bytes("blob", b"data")

    assert list(blobs.keys()) == ["blob"]
    assert blobs.uri("blob") == f"s3://{bucket}/blob"


def test_lists_are_read_page_by_page(object_store: ObjectStore, blobs: S3Blobs) -> None:
    object_store.server.page_length = 2
    stored = [f"many/{number}" for number in range(5)]
    for key in stored:
        blobs.put_bytes(key, b"")

    assert list(blobs.keys("many")) == stored
    blobs.delete_prefix("many")
    assert list(blobs.keys()) == []


def test_a_large_file_goes_in_parts(object_store: ObjectStore, bucket: str, blobs: S3Blobs, large_file: Path) -> None:
    blobs.put_file("blob", large_file)
    blobs.fetch("blob", large_file.with_name("copy"))

    assert object_store.client().head_object(Bucket=bucket, Key="some/prefix/blob")["ETag"].endswith('-2"')
    assert large_file.with_name("copy").read_bytes() == large_file.read_bytes()


def test_an_upload_that_fails_leaves_no_parts(
    object_store: ObjectStore, bucket: str, blobs: S3Blobs, large_file: Path
) -> None:
    object_store.server.faults = [Fault("PUT", "denied", "partNumber=2")]

    with pytest.raises(DubflowError, match="refuses access") as failed:
        blobs.put_file("blob", large_file)

    assert failed.value.code is ErrorCode.STORAGE_FAILED
    assert uploads(object_store, bucket) == []
    assert not blobs.exists("blob")


def test_an_upload_whose_completion_was_not_confirmed_has_arrived(
    object_store: ObjectStore, blobs: S3Blobs, large_file: Path
) -> None:
    object_store.server.faults = [Fault("POST", "lost answer", "uploadId"), Fault("POST", "gone", "uploadId")]

    blobs.put_file("blob", large_file)

    assert blobs.size("blob") == LARGE


def test_an_upload_that_somebody_else_ended_is_a_clear_error(
    object_store: ObjectStore, blobs: S3Blobs, large_file: Path
) -> None:
    object_store.server.faults = [Fault("POST", "gone", "uploadId")]

    with pytest.raises(DubflowError, match="NoSuchUpload") as failed:
        blobs.put_file("blob", large_file)

    assert failed.value.code is ErrorCode.STORAGE_FAILED


def test_uploads_that_nobody_completed_are_swept(object_store: ObjectStore, bucket: str, blobs: S3Blobs) -> None:
    for key in ("some/prefix/left", "elsewhere/left"):
        object_store.client().create_multipart_upload(Bucket=bucket, Key=key)

    # The server gives every upload the same date in 2010.
    assert blobs.sweep(50 * 365 * 86400.0) == 0
    assert blobs.sweep(3600.0) == 1
    assert uploads(object_store, bucket) == ["elsewhere/left"]


@pytest.mark.parametrize("method", ["PUT", "GET", "HEAD", "DELETE"])
def test_a_busy_server_is_asked_again(object_store: ObjectStore, blobs: S3Blobs, method: str) -> None:
    blobs.put_bytes("blob", b"old")
    object_store.server.faults = [Fault(method, "busy")] * 3

    {
        "PUT": lambda: blobs.put_bytes("blob", b"new"),
        "GET": lambda: blobs.get_bytes("blob"),
        "HEAD": lambda: blobs.size("blob"),
        "DELETE": lambda: blobs.delete("blob"),
    }[method]()


def test_a_server_that_stays_busy_is_a_clear_error(object_store: ObjectStore, blobs: S3Blobs) -> None:
    object_store.server.faults = [Fault("GET", "busy")] * 5

    with pytest.raises(DubflowError, match="SlowDown") as failed:
        blobs.get_bytes("blob")

    assert failed.value.code is ErrorCode.STORAGE_FAILED
    assert failed.value.retryable


def test_a_body_that_breaks_off_is_read_again(object_store: ObjectStore, blobs: S3Blobs, tmp_path: Path) -> None:
    blobs.put_bytes("blob", b"data" * 1000)

    object_store.server.faults = [Fault("GET", "cut")] * 2
    assert blobs.get_bytes("blob") == b"data" * 1000
    object_store.server.faults = [Fault("GET", "cut")] * 2
    blobs.fetch("blob", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"data" * 1000


def test_a_body_that_always_breaks_off_is_a_clear_error(
    object_store: ObjectStore, blobs: S3Blobs, tmp_path: Path
) -> None:
    blobs.put_bytes("blob", b"data" * 1000)

    for read in (lambda: blobs.get_bytes("blob"), lambda: blobs.fetch("blob", tmp_path / "out")):
        object_store.server.faults = [Fault("GET", "cut")] * 5
        with pytest.raises(DubflowError) as failed:
            read()
        assert failed.value.code is ErrorCode.STORAGE_FAILED
    assert list(tmp_path.iterdir()) == []


def test_a_new_blob_whose_answer_was_lost_is_still_this_writers(object_store: ObjectStore, blobs: S3Blobs) -> None:
    object_store.server.faults = [Fault("PUT", "lost answer")]

    assert blobs.put_new("manifest", b"mine") is True
    assert blobs.put_new("manifest", b"mine") is False


def test_conditional_writes_that_meet_are_tried_again(object_store: ObjectStore, blobs: S3Blobs) -> None:
    object_store.server.faults = [Fault("PUT", "conflict")] * 2

    assert blobs.put_new("manifest", b"mine") is True


def test_conditional_writes_that_meet_again_and_again_are_a_clear_error(
    object_store: ObjectStore, blobs: S3Blobs
) -> None:
    object_store.server.faults = [Fault("PUT", "conflict")] * 5

    with pytest.raises(DubflowError, match="ConditionalRequestConflict"):
        blobs.put_new("manifest", b"mine")


@pytest.mark.parametrize(
    "use",
    [
        lambda blobs: blobs.put_bytes("blob", b""),
        lambda blobs: blobs.put_new("blob", b""),
        lambda blobs: blobs.get_bytes("blob"),
        lambda blobs: list(blobs.keys()),
        lambda blobs: blobs.delete_prefix("folder"),
        lambda blobs: blobs.sweep(0.0),
    ],
    ids=["put_bytes", "put_new", "get_bytes", "keys", "delete_prefix", "sweep"],
)
def test_a_bucket_that_is_missing_is_named(object_store: ObjectStore, use: Callable[[S3Blobs], object]) -> None:
    with pytest.raises(DubflowError, match="there is no bucket nowhere") as failed:
        use(S3Blobs("nowhere", "", object_store.url))

    assert failed.value.code is ErrorCode.STORAGE_FAILED


def test_refused_access_says_what_to_check(object_store: ObjectStore, blobs: S3Blobs) -> None:
    object_store.server.faults = [Fault("GET", "denied")]

    with pytest.raises(DubflowError, match="check the AWS_\\* credentials") as refused:
        blobs.get_bytes("blob")

    assert refused.value.code is ErrorCode.STORAGE_FAILED


def test_missing_credentials_say_what_to_set(
    object_store: ObjectStore, blobs: S3Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")

    with pytest.raises(DubflowError, match="set AWS_ACCESS_KEY_ID") as failed:
        blobs.get_bytes("blob")

    assert failed.value.code is ErrorCode.STORAGE_FAILED


def test_a_server_that_is_not_there_is_named(object_store: ObjectStore) -> None:
    with pytest.raises(DubflowError, match=r"127\.0\.0\.1:9") as failed:
        S3Blobs("bucket", "", "http://127.0.0.1:9").get_bytes("blob")

    assert failed.value.code is ErrorCode.STORAGE_FAILED


def test_what_is_stored_carries_a_checksum(object_store: ObjectStore, bucket: str, blobs: S3Blobs) -> None:
    blobs.put_bytes("blob", b"data")

    head = object_store.client().head_object(Bucket=bucket, Key="some/prefix/blob", ChecksumMode="ENABLED")

    assert head["ChecksumCRC32"] == "rfPzYw=="


def test_every_wait_has_an_end(blobs: S3Blobs) -> None:
    config = blobs._client.meta.config

    assert (config.connect_timeout, config.read_timeout) == (5, 60)
    assert config.retries == {"mode": "standard", "total_max_attempts": 5}


def test_a_fork_opens_its_own_client(blobs: S3Blobs) -> None:
    blobs.put_bytes("blob", b"parent")
    fork = multiprocessing.get_context("fork").Process(target=lambda: blobs.put_bytes("blob", b"child"))
    fork.start()
    fork.join()

    assert fork.exitcode == 0
    assert blobs.get_bytes("blob") == b"child"
