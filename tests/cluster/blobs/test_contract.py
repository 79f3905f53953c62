"""What both stores promise alike."""

import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.blobs.contract import BlobStore, DirectBlobs, FileBlobs, require_key
from cluster.errors import DubflowError, ErrorCode
from tests.fixtures.blob_writers import put_new_and_tell, take_over_environment
from tests.fixtures.processes import PROCESSES

UNUSUAL_KEYS = [
    "with space/ünïcödé/日本語/😀.mp4",
    "Screenshot 2026-11-21 at 6.02.11\N{NARROW NO-BREAK SPACE}PM.mp4",
    "-dash/%03d/a%2Fb/q?x=1&y=2#frag/a+b/'quote\"/CON/a:b",
    "x" * 255 + "/y",
    "..hidden/...",
]
BAD_KEYS = [
    "",
    "a/.dubflow-1",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/../b",
    "./a",
    "a\\b",
    "a\nb",
    "a\0b",
    "caf\udce9",
    "x" * 256,
]


@pytest.mark.parametrize("data", [b"", b"hello", bytes(range(256)) * 5000])
def test_bytes_come_back_as_they_were(blobs: BlobStore, data: bytes) -> None:
    blobs.put_bytes("folder/blob", data)

    assert blobs.get_bytes("folder/blob") == data
    assert blobs.size("folder/blob") == len(data)
    assert blobs.exists("folder/blob")


def test_the_last_writer_replaces_what_was_there(blobs: BlobStore) -> None:
    blobs.put_bytes("blob", b"first and longer")
    blobs.put_bytes("blob", b"second")

    assert blobs.get_bytes("blob") == b"second"


def test_blobs_that_are_stored_together_are_all_there(blobs: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"film")
    blobs.put_bytes("folder/text", b"former")

    blobs.put_together({"folder/text": b"text", "film": tmp_path / "film"})

    assert {key: blobs.get_bytes(key) for key in blobs.keys()} == {"folder/text": b"text", "film": b"film"}  # noqa: SIM118


def test_files_come_back_as_they_were(blobs: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"picture" * 100_000)
    blobs.put_file("folder/blob", tmp_path / "in")

    target = tmp_path / "new" / "folder" / "out"
    for _ in range(2):  # also over a file that is there
        blobs.fetch("folder/blob", target)

    assert target.read_bytes() == (tmp_path / "in").read_bytes()
    assert list(target.parent.iterdir()) == [target]


def test_only_the_first_of_many_new_blobs_counts(blobs: BlobStore) -> None:
    assert blobs.put_new("folder/manifest", b"first") is True
    assert blobs.put_new("folder/manifest", b"second") is False
    assert blobs.get_bytes("folder/manifest") == b"first"
    assert list(blobs.keys()) == ["folder/manifest"]


def test_one_of_many_threads_makes_a_new_blob(blobs: BlobStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(lambda number: blobs.put_new("manifest", b"%d" % number), range(16)))

    assert won.count(True) == 1
    assert blobs.get_bytes("manifest") == b"%d" % won.index(True)


@pytest.mark.faults
def test_one_of_many_processes_makes_a_new_blob(blobs: BlobStore, tmp_path: Path) -> None:
    keys = [f"manifest-{number}" for number in range(20)]
    with PROCESSES.Pool(3, take_over_environment, [dict(os.environ)]) as pool:
        answers = pool.starmap(put_new_and_tell, [(blobs, keys, name) for name in ("a", "b", "c")])

    for key, won in zip(keys, zip(*answers, strict=True), strict=True):
        assert sorted(won) == [False, False, True]
        assert blobs.get_bytes(key).decode() == "abc"[won.index(True)]


@pytest.mark.parametrize(
    "read",
    [
        lambda blobs, _: blobs.get_bytes("missing"),
        lambda blobs, _: blobs.size("missing"),
        lambda blobs, path: blobs.fetch("missing", path),
        lambda blobs, _: blobs.size("folder"),
    ],
    ids=["get_bytes", "size", "fetch", "folder"],
)
def test_what_is_missing_is_not_found(
    blobs: BlobStore, tmp_path: Path, read: Callable[[BlobStore, Path], object]
) -> None:
    blobs.put_bytes("folder/blob", b"")

    with pytest.raises(DubflowError) as missing:
        read(blobs, tmp_path / "target")

    assert missing.value.code is ErrorCode.NOT_FOUND
    assert not (tmp_path / "target").exists()
    assert not blobs.exists("missing")
    assert not blobs.exists("folder")


def test_keys_are_listed_in_the_order_of_their_bytes(blobs: BlobStore) -> None:
    stored = ["a-b", "a/b", "a/b0", "a/c/d", "a0", "b", "z", "é/x", "日/a"]
    for key in reversed(stored):
        blobs.put_bytes(key, b"")

    assert list(blobs.keys()) == stored
    assert list(blobs.keys("a")) == ["a/b", "a/b0", "a/c/d"]
    assert list(blobs.keys("a/c")) == ["a/c/d"]
    assert list(blobs.keys("nothing/here")) == []


def test_a_store_that_was_never_used_is_empty(blobs: BlobStore) -> None:
    assert list(blobs.keys()) == []
    assert blobs.sweep(0.0) == 0
    blobs.delete("missing")
    blobs.delete_prefix("missing")


def test_deleting_a_blob_leaves_its_neighbours(blobs: BlobStore) -> None:
    for key in ("job1/a", "job1/b/c", "job10/a"):
        blobs.put_bytes(key, b"")

    blobs.delete("job1/a")
    blobs.delete("job1/a")
    assert list(blobs.keys()) == ["job1/b/c", "job10/a"]
    blobs.delete_prefix("job1")
    assert list(blobs.keys()) == ["job10/a"]


@pytest.mark.parametrize("key", UNUSUAL_KEYS)
def test_unusual_names_are_fine(blobs: BlobStore, tmp_path: Path, key: str) -> None:
    (tmp_path / "in").write_bytes(b"data")
    blobs.put_file(key, tmp_path / "in")
    blobs.fetch(key, tmp_path / "out")

    assert list(blobs.keys()) == [key]
    assert (tmp_path / "out").read_bytes() == b"data"


@pytest.mark.parametrize("key", BAD_KEYS)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(DubflowError) as refused:
        require_key(key)

    assert refused.value.code is ErrorCode.INVALID_REQUEST


def test_every_operation_refuses_what_is_no_key(blobs: BlobStore, tmp_path: Path) -> None:
    bad = "../outside"
    for use in (
        lambda: blobs.put_bytes(bad, b""),
        lambda: blobs.put_new(bad, b""),
        lambda: blobs.put_file(bad, Path(__file__)),
        lambda: blobs.get_bytes(bad),
        lambda: blobs.fetch(bad, tmp_path / "never"),
        lambda: blobs.exists(bad),
        lambda: blobs.size(bad),
        lambda: blobs.delete(bad),
        lambda: blobs.delete_prefix(bad),
        lambda: blobs.delete_prefix(""),
        lambda: blobs.uri(bad),
        lambda: list(blobs.keys(bad)),
    ):
        with pytest.raises(DubflowError) as refused:
            use()
        assert refused.value.code is ErrorCode.INVALID_REQUEST


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), min_size=1, max_size=4).map("/".join))
def test_what_passes_as_a_key_stays_below_the_root(text: str) -> None:
    try:
        key = require_key(text)
    except DubflowError:
        return
    path = Path("/store", key)
    assert path.is_relative_to("/store")
    assert str(path) == f"/store/{key}"


def test_a_store_travels_to_another_process_by_its_address(blobs: BlobStore) -> None:
    blobs.put_bytes("blob", b"data")

    copy: BlobStore = pickle.loads(pickle.dumps(blobs))

    assert copy.get_bytes("blob") == b"data"
    assert copy.uri("blob") == blobs.uri("blob")


def test_a_source_file_that_is_missing_is_named(blobs: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(DubflowError, match="no such file") as failed:
        blobs.put_file("blob", tmp_path / "no such file.mp4")

    assert failed.value.code is ErrorCode.STORAGE_FAILED
    assert not blobs.exists("blob")


def test_ranges_end_where_the_blob_does(blobs: BlobStore) -> None:
    blobs.put_bytes("blob", b"0123456789")

    assert blobs.get_range("blob", 0, 4) == b"0123"
    assert blobs.get_range("blob", 8, 4) == b"89"
    assert blobs.get_range("blob", 10, 4) == b""
    with pytest.raises(DubflowError) as missing:
        blobs.get_range("missing", 0, 4)
    assert missing.value.code is ErrorCode.NOT_FOUND


def test_a_store_is_reached_by_links_or_by_files(blobs: BlobStore) -> None:
    assert isinstance(blobs, DirectBlobs) is not isinstance(blobs, FileBlobs)
