"""The end of Ray's processes, on processes of the same kinds: dead but not yet buried, and not willing to die."""

import subprocess
import sys
import time

import psutil
import pytest

from cluster import ray_runtime


def test_a_process_that_nobody_has_buried_yet_is_not_waited_for() -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(dead.pid)
    while process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    started = time.monotonic()
    ray_runtime._await_end([process])
    assert time.monotonic() - started < ray_runtime._END_SECONDS / 2
    assert process.is_running()
    dead.wait()
    ray_runtime._await_end([process])


def test_a_process_that_does_not_end_in_time_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_runtime, "_END_SECONDS", 0.2)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stubborn:
        ray_runtime._await_end([psutil.Process(stubborn.pid)])
        assert stubborn.wait(10) == -9
