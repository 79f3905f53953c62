"""Where Ray's processes listen, and their end: dead but not yet buried, and not willing to die."""

import os
import socket
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


def test_every_process_has_a_loopback_address_of_its_own_on_which_one_can_listen() -> None:
    greatest = 1 << 22
    pids = [*range(1, 1000), *range(greatest - 1000, greatest + 1), os.getpid()]
    addresses = {pid: ray_runtime.own_loopback(pid) for pid in pids}
    assert len(set(addresses.values())) == len(addresses)
    with socket.socket() as first, socket.socket() as second:
        first.bind((addresses[os.getpid()], 0))
        second.bind((addresses[1], first.getsockname()[1]))
