import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from cluster.errors import DubflowError, ErrorCode
from dataflow.media import process
from dataflow.media.decode import decode_audio
from dataflow.media.opening import opened_source
from dataflow.media.probe import choose_audio, probe
from dataflow.media.process import MediaChild
from dataflow.media.records import MediaLimits


@pytest.fixture(autouse=True)
def nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No process, descriptor or folder outlives a child, however it ended."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    children = psutil.Process().children()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert psutil.Process().children() == children
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert list(tmp_path.iterdir()) == []


@contextmanager
def misbehaving(
    monkeypatch: pytest.MonkeyPatch, clip: Path, limits: MediaLimits, behaviour: str
) -> Iterator[MediaChild]:
    command = (*process.COMMAND[:-1], "tests.fixtures.hostile_child")
    monkeypatch.setattr(process, "COMMAND", command)
    with opened_source(clip, limits) as source:
        request = {"task": "misbehave", "source": source, "behaviour": behaviour}
        with MediaChild(request, limits, [source]) as child:
            yield child


@pytest.mark.parametrize(
    ("behaviour", "code", "message"),
    [
        ("segfault", ErrorCode.DECODER_CRASHED, "signal 11 (SIGSEGV)"),
        ("eat_memory", ErrorCode.MEDIA_LIMIT, "memory"),
        ("exit", ErrorCode.INTERNAL, "status 3: no such library"),
        ("write_garbage", ErrorCode.DECODER_CRASHED, "confusion"),
        ("claim_a_huge_frame", ErrorCode.DECODER_CRASHED, "confusion"),
        ("unknown_error", ErrorCode.DECODER_CRASHED, "confusion"),
        ("raise", ErrorCode.INTERNAL, "ZeroDivisionError: two lines"),
        ("grow_a_file", ErrorCode.INTERNAL, "File too large"),
        ("make_a_file", ErrorCode.INTERNAL, "No such file or directory"),
    ],
)
def test_however_a_child_fails_it_becomes_one_line(
    *, monkeypatch: pytest.MonkeyPatch, clip: Path, limits: MediaLimits, behaviour: str, code: ErrorCode, message: str
) -> None:
    with (
        pytest.raises(DubflowError) as caught,
        misbehaving(monkeypatch, clip, replace(limits, memory_bytes=1 << 28), behaviour) as child,
    ):
        child.reply()
    assert caught.value.code is code
    assert message in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("behaviour", ["spin", "sleep"])
def test_a_child_that_stalls_is_ended(
    monkeypatch: pytest.MonkeyPatch, clip: Path, limits: MediaLimits, behaviour: str
) -> None:
    with (
        pytest.raises(DubflowError, match="no progress") as caught,
        misbehaving(monkeypatch, clip, replace(limits, stall_seconds=0.6), behaviour) as child,
    ):
        child.reply()
    assert caught.value.code is ErrorCode.MEDIA_LIMIT


def test_a_child_that_reads_has_not_stalled(monkeypatch: pytest.MonkeyPatch, clip: Path, limits: MediaLimits) -> None:
    with misbehaving(monkeypatch, clip, replace(limits, stall_seconds=0.8), "read_slowly") as child:
        assert child.reply() == {}


def test_a_child_whose_parent_does_not_read_has_not_stalled(
    monkeypatch: pytest.MonkeyPatch, clip: Path, limits: MediaLimits
) -> None:
    with misbehaving(monkeypatch, clip, replace(limits, stall_seconds=0.6), "deliver") as child:
        child.receive()
        time.sleep(1.5)
        rest = [child.receive() for _ in range(100)]
    assert rest[-1] == {}


def test_processor_time_is_limited(monkeypatch: pytest.MonkeyPatch, clip: Path, limits: MediaLimits) -> None:
    monkeypatch.setattr(MediaLimits, "cpu_seconds", lambda _, __: 1)

    with (
        pytest.raises(DubflowError, match="processor time") as caught,
        misbehaving(monkeypatch, clip, limits, "spin_while_reading") as child,
    ):
        child.reply()
    assert caught.value.code is ErrorCode.MEDIA_LIMIT


def test_a_library_that_prints_does_not_garble_the_reply(
    monkeypatch: pytest.MonkeyPatch, clip: Path, limits: MediaLimits
) -> None:
    with misbehaving(monkeypatch, clip, limits, "chatter") as child:
        assert child.reply() == {"said": "all is well"}


def test_a_child_gets_nothing_that_it_does_not_need(
    monkeypatch: pytest.MonkeyPatch, clip: Path, limits: MediaLimits
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("DUBFLOW_DATABASE_URL", "postgresql://user:hidden@db/")

    with misbehaving(monkeypatch, clip, limits, "confess") as child:
        told = child.reply()
        assert told["pid"] == told["group"] == child.pid

    assert "hidden" not in str(told)
    assert set(told["environment"]) <= {
        *("PYTHONPATH", "PYTHONUTF8", "MALLOC_ARENA_MAX", "LD_LIBRARY_PATH", "LC_CTYPE"),
    }
    assert told["folder"].startswith(f"{tempfile.gettempdir()}/dubflow-media-")
    assert told["limits"] == {
        "RLIMIT_AS": limits.memory_bytes,
        "RLIMIT_CPU": limits.cpu_seconds(clip.stat().st_size),
        "RLIMIT_FSIZE": limits.output_bytes(clip.stat().st_size),
        "RLIMIT_NOFILE": process.FILES,
        "RLIMIT_CORE": 0,
    }
    assert told["files"] == [str(clip)]


def test_a_child_starts_without_the_weight_of_the_parent(
    monkeypatch: pytest.MonkeyPatch, clip: Path, limits: MediaLimits
) -> None:
    with misbehaving(monkeypatch, clip, limits, "confess") as child:
        modules = set(child.reply()["modules"])

    assert not modules & {"ray", "pydantic", "sqlalchemy", "numpy", "boto3", "langcodes", "av", "asyncio"}


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_decoder_that_dies_midway_is_named(fast_clip: Path, limits: MediaLimits, number: signal.Signals) -> None:
    track = choose_audio(probe(fast_clip, limits))

    with decode_audio(fast_clip, track, limits, rate=48_000) as audio:
        os.kill(audio._child.pid, number)
        with pytest.raises(DubflowError) as caught:
            list(audio)
    assert caught.value.code is ErrorCode.DECODER_CRASHED
    assert f"signal {number.value}" in caught.value.message


def test_a_machine_that_cannot_start_a_child_says_so(
    clip: Path, limits: MediaLimits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))

    with pytest.raises(DubflowError, match="cannot be started") as caught:
        probe(clip, limits)
    assert caught.value.code is ErrorCode.ENVIRONMENT


def test_leaving_early_ends_the_child(fast_clip: Path, limits: MediaLimits) -> None:
    track = choose_audio(probe(fast_clip, limits))

    with decode_audio(fast_clip, track, limits, rate=48_000) as audio:
        pid = audio._child.pid
        next(iter(audio))
    assert not psutil.pid_exists(pid)


PARENT = """
import sys, time
from pathlib import Path
from dataflow.media import process
from dataflow.media.opening import opened_source
from dataflow.media.records import MediaLimits
process.COMMAND = (*process.COMMAND[:-1], "tests.fixtures.hostile_child")
limits = MediaLimits(1 << 30, 600.0, 1 << 24, 32, 1 << 30, 600.0)
with opened_source(Path(sys.argv[1]), limits) as source:
    request = {"task": "misbehave", "source": source, "behaviour": "spin"}
    with process.MediaChild(request, limits, [source]) as child:
        print(child.pid, flush=True)
        time.sleep(600)
"""


def test_a_child_never_outlives_its_parent(clip: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(clip)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    psutil.wait_procs([child], timeout=20)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
