import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from actors.translation.apertium_pipeline import Pipeline, PipelineError

Chain = Callable[..., Pipeline]

ECHO = (sys.executable, "-c", "import sys, os\nwhile d := os.read(0, 65536): os.write(1, d)")
DEAF = (sys.executable, "-c", "import time; time.sleep(60)")
MUTE = (sys.executable, "-c", "import os\nwhile os.read(0, 65536): pass")


def comes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def gone(pid: int) -> bool:
    return comes_true(lambda: is_gone(pid))


@pytest.fixture
def chain() -> Iterator[Chain]:
    chains = []

    def start(*stages: tuple[str, ...], timeout: float = 20.0) -> Pipeline:
        chains.append(Pipeline(stages, timeout=timeout))
        return chains[-1]

    yield start
    for pipeline in chains:
        pipeline.close()


def test_messages_pass_every_stage_in_order(chain: Chain) -> None:
    pipeline = chain(ECHO, ECHO, ECHO)
    assert [pipeline.exchange(text) for text in ("one", "", "three ñ")] == ["one", "", "three ñ"]


def test_a_message_larger_than_all_pipe_buffers_does_not_block(chain: Chain) -> None:
    text = "x" * 2_000_000
    assert chain(ECHO, ECHO).exchange(text) == text


@pytest.mark.parametrize("stage", [DEAF, MUTE])
def test_a_chain_that_gives_no_answer_is_ended(chain: Chain, stage: tuple[str, ...]) -> None:
    pipeline = chain(ECHO, stage, timeout=0.3)
    with pytest.raises(PipelineError, match="in time"):
        pipeline.exchange("hello" * 100_000)
    assert all(gone(pid) for pid in pipeline.pids)


def test_a_killed_stage_is_an_error_not_a_hang(chain: Chain) -> None:
    pipeline = chain(ECHO, ECHO)
    pipeline.exchange("x")
    os.kill(pipeline.pids[1], signal.SIGKILL)
    with pytest.raises(PipelineError):
        pipeline.exchange("y")


def test_close_leaves_no_process(chain: Chain) -> None:
    pipeline = chain(ECHO, DEAF)
    pipeline.close()
    assert all(gone(pid) for pid in pipeline.pids)


def test_stages_that_never_read_die_with_a_killed_parent() -> None:
    program = (
        "import time\n"
        "from actors.translation.apertium_pipeline import Pipeline\n"
        f"pipeline = Pipeline([{DEAF!r}, {DEAF!r}], timeout=1)\n"
        "print(*pipeline.pids, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        # A stage asks for its death signal just before it becomes its program; killed in the moment before that, a
        # program that reads still sees the end of its input, which this one, that never reads, could not.
        assert all(comes_true(lambda pid=pid: "setpriv" not in psutil.Process(pid).cmdline()) for pid in pids)
        parent.kill()
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)
