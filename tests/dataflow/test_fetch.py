import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import numpy as np
import pytest
from mypy_boto3_s3 import S3Client

from cluster import objects
from cluster.errors import DubflowError, ErrorCode
from cluster.sources import SourceRef, describe_source
from dataflow import fetch as fetching
from dataflow import object_download
from dataflow.fetch import drop, fetch
from dataflow.media.records import MediaLimits
from tests.fixtures.s3_proxy import S3Proxy, answers_500, breaks_off, s3_proxy

LIMITS = MediaLimits(1 << 30, 600.0, 1 << 24, 32, 1 << 30, 30.0)
CONTENT = np.random.default_rng(0).bytes(200_000)
PART = 64_000


@pytest.fixture(scope="module")
def running_proxy() -> Iterator[S3Proxy]:
    with s3_proxy() as proxy:
        yield proxy


@pytest.fixture
def proxy(running_proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch) -> S3Proxy:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(object_download, "PART_BYTES", PART)
    running_proxy.ranges.clear()
    running_proxy.faults.clear()
    return running_proxy


@pytest.fixture
def s3(proxy: S3Proxy) -> S3Client:
    client = boto3.client("s3", endpoint_url=proxy.url)
    client.create_bucket(Bucket="bucket")
    client.put_object(Bucket="bucket", Key="folder/video.mp4", Body=CONTENT)
    proxy.ranges.clear()
    return client


def described(proxy: S3Proxy, key: str = "folder/video.mp4") -> SourceRef:
    return describe_source(f"s3://bucket/{key}", s3_endpoint_url=proxy.url)


def code_of(caught: pytest.ExceptionInfo[DubflowError]) -> ErrorCode:
    return caught.value.code


@pytest.mark.parametrize(
    "name",
    [b"plain.mp4", b"a b%20c?d#e.mp4", b"two\nlines.mp4", b"latin-\xe4\xff.mp4", "\N{GRINNING FACE}.mp4".encode()],
)
def test_a_local_source_is_its_own_file(tmp_path: Path, name: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_bytes(b"content")

    source = describe_source(path)

    assert source.uri.startswith("file:///")
    assert source.uri.isascii()
    source.name.encode()
    assert describe_source(source.uri) == describe_source(str(path)) == source
    assert fetch(source, tmp_path / "folder", LIMITS) == path
    drop(source, tmp_path / "folder")
    assert path.exists()
    assert not (tmp_path / "folder").exists()


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").write_bytes(b"content")
    monkeypatch.chdir(tmp_path)

    assert describe_source("a.mp4") == describe_source(tmp_path / "a.mp4")
    assert describe_source("./x/../a.mp4") == describe_source(tmp_path / "a.mp4")


def test_a_local_source_that_changed_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"content")
    source = describe_source(path)
    os.utime(path, ns=(1, 1))

    with pytest.raises(DubflowError) as caught:
        fetch(source, tmp_path, LIMITS)
    assert code_of(caught) is ErrorCode.SOURCE_CHANGED


def test_a_local_source_that_is_gone_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"content")
    source = describe_source(path)
    path.unlink()

    with pytest.raises(DubflowError) as caught:
        fetch(source, tmp_path, LIMITS)
    assert code_of(caught) is ErrorCode.NOT_FOUND


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("missing.mp4", ErrorCode.NOT_FOUND),
        (".", ErrorCode.UNSUPPORTED_MEDIA),
        ("https://example.org/a.mp4", ErrorCode.INVALID_REQUEST),
        ("file://elsewhere/a.mp4", ErrorCode.INVALID_REQUEST),
        ("s3://bucket", ErrorCode.INVALID_REQUEST),
        ("s3://bucket/folder/", ErrorCode.INVALID_REQUEST),
        ("s3:///key", ErrorCode.INVALID_REQUEST),
    ],
)
def test_what_is_no_source_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, code: ErrorCode
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(DubflowError) as caught:
        describe_source(address)
    assert code_of(caught) is code


def test_sources_over_the_limit_are_not_fetched(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"content")

    with pytest.raises(DubflowError) as caught:
        fetch(describe_source(path), tmp_path, replace(LIMITS, max_bytes=6))
    assert code_of(caught) is ErrorCode.TOO_LARGE


@pytest.mark.parametrize("key", ["folder/video.mp4", "a b?c#d%20e+\N{GRINNING FACE}.mp4", "../../etc/passwd"])
def test_an_object_is_fetched_in_ranges(proxy: S3Proxy, s3: S3Client, tmp_path: Path, key: str) -> None:
    s3.put_object(Bucket="bucket", Key=key, Body=CONTENT)
    source = described(proxy, key)

    path = fetch(source, tmp_path / "folder", LIMITS, s3_endpoint_url=proxy.url)

    assert (source.size, source.name) == (len(CONTENT), key.rpartition("/")[2])
    assert path.parent == tmp_path / "folder"
    assert path.read_bytes() == CONTENT
    assert sorted(proxy.ranges) == ["bytes=0-63999", "bytes=128000-191999", "bytes=192000-", "bytes=64000-127999"]


def test_an_object_is_fetched_once(proxy: S3Proxy, s3: S3Client, tmp_path: Path) -> None:
    source = described(proxy)

    first = fetch(source, tmp_path, LIMITS, s3_endpoint_url=proxy.url)
    second = fetch(source, tmp_path, LIMITS, s3_endpoint_url=proxy.url)

    assert first == second
    assert len(proxy.ranges) == 4


def test_a_dropped_object_leaves_nothing_and_can_be_fetched_again(proxy: S3Proxy, s3: S3Client, tmp_path: Path) -> None:
    source = described(proxy)
    with fetch(source, tmp_path, LIMITS, s3_endpoint_url=proxy.url).open("rb") as still_open:
        drop(source, tmp_path)
        drop(source, tmp_path)
        assert list(tmp_path.iterdir()) == []
        assert still_open.read() == CONTENT

    assert fetch(source, tmp_path, LIMITS, s3_endpoint_url=proxy.url).read_bytes() == CONTENT


def test_versions_of_an_object_do_not_mix(proxy: S3Proxy, s3: S3Client, tmp_path: Path) -> None:
    old = described(proxy)
    old_path = fetch(old, tmp_path, LIMITS, s3_endpoint_url=proxy.url)
    s3.put_object(Bucket="bucket", Key="folder/video.mp4", Body=CONTENT[::-1])
    new = described(proxy)

    assert new.version != old.version
    assert fetch(new, tmp_path, LIMITS, s3_endpoint_url=proxy.url).read_bytes() == CONTENT[::-1]
    assert old_path.read_bytes() == CONTENT


def test_an_object_that_changed_is_noticed(proxy: S3Proxy, s3: S3Client, tmp_path: Path) -> None:
    source = described(proxy)
    s3.put_object(Bucket="bucket", Key="folder/video.mp4", Body=CONTENT[::-1])

    with pytest.raises(DubflowError) as caught:
        fetch(source, tmp_path, LIMITS, s3_endpoint_url=proxy.url)
    assert code_of(caught) is ErrorCode.SOURCE_CHANGED
    assert [p.suffix for p in tmp_path.iterdir()] == [".lock"]


def test_an_object_that_is_gone_is_noticed(proxy: S3Proxy, s3: S3Client, tmp_path: Path) -> None:
    source = described(proxy)
    s3.delete_object(Bucket="bucket", Key="folder/video.mp4")

    with pytest.raises(DubflowError) as caught:
        described(proxy)
    assert code_of(caught) is ErrorCode.NOT_FOUND
    with pytest.raises(DubflowError) as caught:
        fetch(source, tmp_path, LIMITS, s3_endpoint_url=proxy.url)
    assert code_of(caught) is ErrorCode.NOT_FOUND


def test_short_reads_and_server_errors_are_retried(proxy: S3Proxy, s3: S3Client, tmp_path: Path) -> None:
    source = described(proxy)
    proxy.faults += [breaks_off, answers_500, breaks_off]

    path = fetch(source, tmp_path, LIMITS, s3_endpoint_url=proxy.url)

    assert path.read_bytes() == CONTENT
    assert len(proxy.ranges) == 4 + 3


def test_a_server_that_stays_down_ends_in_an_error_and_no_file(
    proxy: S3Proxy, s3: S3Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    source = described(proxy)
    proxy.faults += [answers_500] * 100

    with pytest.raises(DubflowError) as caught:
        fetch(source, tmp_path, LIMITS, s3_endpoint_url=proxy.url)
    assert code_of(caught) is ErrorCode.STORAGE_FAILED
    assert caught.value.retryable
    assert [p.suffix for p in tmp_path.iterdir()] == [".lock"]


def test_disk_space_is_checked_first(
    proxy: S3Proxy, s3: S3Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = described(proxy)
    usage = shutil.disk_usage(tmp_path)._replace(free=fetching.SPARE_BYTES + source.size - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    with pytest.raises(DubflowError) as caught:
        fetch(source, tmp_path, LIMITS, s3_endpoint_url=proxy.url)
    assert code_of(caught) is ErrorCode.DISK_FULL
    assert proxy.ranges == []


def test_missing_credentials_are_named(proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    boto3.DEFAULT_SESSION = None
    objects.object_client.cache_clear()

    try:
        with pytest.raises(DubflowError) as caught:
            described(proxy)
    finally:
        boto3.DEFAULT_SESSION = None
        objects.object_client.cache_clear()
    assert code_of(caught) is ErrorCode.ENVIRONMENT


def test_a_drop_while_somebody_fetches_does_nothing(proxy: S3Proxy, s3: S3Client, tmp_path: Path) -> None:
    source = described(proxy)
    reached, go_on = threading.Event(), threading.Event()

    def hold(*_: object) -> bool:
        reached.set()
        go_on.wait(20)
        return False

    proxy.faults.append(hold)
    fetcher = threading.Thread(target=fetch, args=(source, tmp_path, LIMITS), kwargs={"s3_endpoint_url": proxy.url})
    fetcher.start()
    assert reached.wait(20)
    drop(source, tmp_path)
    go_on.set()
    fetcher.join()

    assert fetch(source, tmp_path, LIMITS, s3_endpoint_url=proxy.url).read_bytes() == CONTENT
    assert len(proxy.ranges) == 4


def fetch_and_hash(source: SourceRef, folder: Path, url: str) -> bool:
    object_download.PART_BYTES = PART
    return fetch(source, folder, LIMITS, s3_endpoint_url=url).read_bytes() == CONTENT


def test_processes_share_one_download(proxy: S3Proxy, s3: S3Client, tmp_path: Path) -> None:
    source = described(proxy)

    with multiprocessing.get_context("spawn").Pool(3) as pool:
        same = pool.starmap(fetch_and_hash, [(source, tmp_path, proxy.url)] * 6, chunksize=1)

    assert same == [True] * 6
    assert len(proxy.ranges) == 4
