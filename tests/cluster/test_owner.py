import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest

from cluster.owner import Owner, is_dead, this_process

TELL = "from cluster.owner import this_process; print(this_process(), flush=True); input()"


@pytest.fixture
def other() -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen([sys.executable, "-c", TELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process, process.stdout.readline().strip()
    process.kill()
    process.communicate()


def test_an_identity_is_read_as_it_was_written() -> None:
    owner = this_process(generation=3)

    assert Owner.parse(str(owner)) == owner
    assert (owner.pid, owner.generation) == (os.getpid(), 3)
    assert str(owner) == str(this_process(generation=3))
    assert str(owner) != str(this_process(generation=4))


def test_this_process_lives() -> None:
    assert not is_dead(str(this_process()))


def test_another_process_lives_until_it_is_killed(other: tuple[subprocess.Popen[str], str]) -> None:
    process, owner = other
    assert not is_dead(owner)

    process.kill()
    process.wait()

    assert is_dead(owner)


def test_a_process_that_waits_to_be_reaped_is_dead(other: tuple[subprocess.Popen[str], str]) -> None:
    process, owner = other
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays in the table
    assert psutil.pid_exists(process.pid)

    assert is_dead(owner)


def test_a_stopped_process_lives(other: tuple[subprocess.Popen[str], str]) -> None:
    process, owner = other
    process.send_signal(signal.SIGSTOP)

    assert not is_dead(owner)


def test_a_process_id_that_is_used_again_is_another_owner() -> None:
    owner = this_process()

    assert is_dead(str(replace(owner, started=owner.started - 60)))
    assert not is_dead(str(replace(owner, started=owner.started - 1)))  # the clock was corrected


def test_a_reboot_ends_all_processes() -> None:
    assert is_dead(str(replace(this_process(), boot="0badb007")))


def test_nobody_elsewhere_is_called_dead() -> None:
    owner = replace(this_process(), pid=2**22 + 1)  # more than Linux has
    assert is_dead(str(owner))

    assert not is_dead(str(replace(owner, host="elsewhere")))
    assert not is_dead(str(replace(owner, host="elsewhere", boot="0badb007")))
    assert not is_dead(str(replace(owner, space="1")))


@pytest.mark.parametrize("text", ["", "worker", "a:b:c", "h:b.s:x:1:0", "h:bs:1:1:0", "h:b.s:1:1:0:9"])
def test_text_that_names_no_process_is_never_called_dead(text: str) -> None:
    assert Owner.parse(text) is None
    assert not is_dead(text)
