import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.blobs.local import LocalBlobs
from cluster.errors import DubflowError, ErrorCode

DIES_BEFORE_THE_RENAME = """
import os, signal, sys
from pathlib import Path
from cluster.blobs.local import LocalBlobs
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
getattr(LocalBlobs(Path(sys.argv[1])), sys.argv[2])("folder/blob", b"new" * 1000)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def blobs(root: Path) -> LocalBlobs:
    return LocalBlobs(root)


@pytest.fixture
def tiny_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 1 MiB; where it may not be mounted, one whose flushes fail as they do when the disk is full."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode == 0:
        yield folder
        subprocess.run(["umount", str(folder)], check=True)
    else:
        real = os.fsync
        monkeypatch.setattr(os, "fsync", lambda file: full_disk(file) if os.fstat(file).st_size > 2**20 else real(file))
        yield folder


def full_disk(_file: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


@pytest.mark.faults
@pytest.mark.parametrize("write", ["put_bytes", "put_new"])
def test_a_writer_that_dies_before_the_rename_leaves_nothing_to_read(root: Path, blobs: LocalBlobs, write: str) -> None:
    if write == "put_bytes":
        blobs.put_bytes("folder/blob", b"old")
    ended = subprocess.run([sys.executable, "-c", DIES_BEFORE_THE_RENAME, str(root), write], check=False)
    assert ended.returncode == -signal.SIGKILL

    assert list(blobs.keys()) == (["folder/blob"] if write == "put_bytes" else [])
    assert not blobs.exists("folder/blob") or blobs.get_bytes("folder/blob") == b"old"
    assert len(list(root.rglob(".dubflow-*"))) <= 1
    unfinished = len(list(root.rglob(".dubflow-*")))
    assert blobs.sweep(0.0) == unfinished
    assert list(root.rglob(".dubflow-*")) == []


def test_sweeping_spares_blobs_and_what_is_being_written(root: Path, blobs: LocalBlobs) -> None:
    blobs.put_bytes("folder/blob", b"data")
    young, old = root / "folder" / ".dubflow-young", root / "folder" / ".dubflow-old"
    for path in (young, old, root / "folder" / "blob"):
        path.touch()
        os.utime(path, (time.time() - 7200,) * 2)
    os.utime(young)

    assert blobs.sweep(3600.0) == 1

    assert names(root) == [".dubflow-young", "blob"]
    assert list(blobs.keys()) == ["folder/blob"]


def test_bytes_reach_the_disk_before_their_name_does(
    root: Path, blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.put_bytes("folder/old", b"")
    steps: list[str] = []
    flush, rename = os.fsync, Path.replace

    def note_flush(file: int) -> None:
        flush(file)
        name = Path(f"/proc/self/fd/{file}").readlink().name
        steps.append("flush file" if name.startswith(".dubflow-") else f"flush {name}")

    def note_rename(path: Path, target: Path) -> Path:
        steps.append(f"rename to {target.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(Path, "replace", note_rename)
    blobs.put_bytes("folder/blob", b"data")
    assert steps == ["flush file", "rename to blob", "flush folder"]

    steps.clear()
    blobs.put_bytes("new/deep/blob", b"data")
    assert steps[:2] == [f"flush {root.name}", "flush new"]


def test_a_disk_that_is_full_keeps_what_was_there(tiny_disk: Path, tmp_path: Path) -> None:
    blobs = LocalBlobs(tiny_disk / "blobs")
    blobs.put_bytes("blob", b"old")
    (tmp_path / "large").write_bytes(b"x" * 2_000_000)

    for write in (
        lambda: blobs.put_bytes("blob", b"x" * 2_000_000),
        lambda: blobs.put_new("new", b"x" * 2_000_000),
        lambda: blobs.put_file("blob", tmp_path / "large"),
        lambda: blobs.put_together({"text": b"new", "blob": b"new", "large": tmp_path / "large"}),
    ):
        with pytest.raises(DubflowError, match=f"no space is left for {tiny_disk}") as full:
            write()
        assert full.value.code is ErrorCode.DISK_FULL

    assert blobs.get_bytes("blob") == b"old"
    assert names(tiny_disk) == ["blob"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_flush_that_fails_for_want_of_space_is_a_full_disk(
    root: Path, blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    blobs.put_bytes("blob", b"old")

    def fail(_file: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DubflowError) as full:
        blobs.put_bytes("blob", b"new")

    assert full.value.code is ErrorCode.DISK_FULL
    assert blobs.get_bytes("blob") == b"old"
    assert names(root) == ["blob"]


def test_a_disk_that_fails_is_a_storage_failure(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DubflowError, match="Input/output error") as failed:
        blobs.put_bytes("blob", b"new")

    assert failed.value.code is ErrorCode.STORAGE_FAILED
    assert failed.value.retryable


def test_a_folder_of_somebody_else_says_so(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs.put_bytes("blob", b"data")

    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DubflowError, match="check its owner") as refused:
        blobs.get_bytes("blob")

    assert refused.value.code is ErrorCode.STORAGE_FAILED


def test_a_blob_is_no_folder(blobs: LocalBlobs) -> None:
    blobs.put_bytes("blob", b"data")

    with pytest.raises(DubflowError) as refused:
        blobs.put_bytes("blob/below", b"data")

    assert refused.value.code is ErrorCode.STORAGE_FAILED


def test_a_fetch_onto_a_full_disk_leaves_no_file(
    tmp_path: Path, blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.put_bytes("blob", b"data")
    monkeypatch.setattr(shutil, "copyfileobj", lambda *_: full_disk(0))

    with pytest.raises(DubflowError) as full:
        blobs.fetch("blob", tmp_path / "scratch" / "out")

    assert full.value.code is ErrorCode.DISK_FULL
    assert list((tmp_path / "scratch").iterdir()) == []


def test_readers_see_one_version_or_the_other(blobs: LocalBlobs) -> None:
    versions = [bytes([letter]) * 300_000 for letter in b"ab"]
    blobs.put_bytes("blob", versions[0])
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            for version in versions:
                blobs.put_bytes("blob", version)

    writer = threading.Thread(target=rewrite)
    writer.start()
    seen = {blobs.get_bytes("blob") for _ in range(200)}
    stop.set()
    writer.join()

    assert seen <= set(versions)


def test_folders_go_with_their_last_blob_and_writers_do_not_mind(root: Path, blobs: LocalBlobs) -> None:
    def come_and_go(name: str) -> None:
        for _ in range(150):
            blobs.put_bytes(f"deep/folder/{name}", b"")
            blobs.delete(f"deep/folder/{name}")

    threads = [threading.Thread(target=come_and_go, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert list(root.iterdir()) == []


def test_uris_are_those_of_files(blobs: LocalBlobs, root: Path) -> None:
    assert blobs.uri("a folder/ü.mp4") == f"file://{root}/a%20folder/%C3%BC.mp4"


def test_a_file_that_is_written_becomes_the_blob_at_the_end(root: Path, blobs: LocalBlobs) -> None:
    with blobs.writing_new("folder/blob") as file:
        file.write(b"half")
        file.flush()
        assert not blobs.exists("folder/blob")
        file.write(b"whole")

    assert blobs.local_path("folder/blob").read_bytes() == b"halfwhole"
    assert names(root) == ["blob"]


def test_a_file_whose_writer_gives_up_leaves_nothing(root: Path, blobs: LocalBlobs) -> None:
    def give_up() -> None:
        with blobs.writing_new("folder/blob") as file:
            file.write(b"new")
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        give_up()

    assert names(root) == []


def test_of_two_files_for_one_blob_the_first_stays(root: Path, blobs: LocalBlobs) -> None:
    with blobs.writing_new("folder/blob") as late:
        late.write(b"late")
        blobs.put_bytes("folder/blob", b"first")

    assert blobs.get_bytes("folder/blob") == b"first"
    assert names(root) == ["blob"]


def test_a_file_that_fills_the_disk_leaves_nothing(tiny_disk: Path) -> None:
    blobs = LocalBlobs(tiny_disk)

    def fill() -> None:
        with blobs.writing_new("blob") as file:
            for _ in range(40):
                file.write(bytes(2**16))

    with pytest.raises(DubflowError) as full:
        fill()

    assert full.value.code is ErrorCode.DISK_FULL
    assert names(tiny_disk) == []


def test_free_space_is_that_of_the_disk_before_the_folder_is_made(root: Path, blobs: LocalBlobs) -> None:
    assert not root.exists()
    assert 0 < blobs.free_bytes() <= shutil.disk_usage(root.parent).total
