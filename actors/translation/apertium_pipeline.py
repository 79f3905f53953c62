import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Sequence
from typing import IO

_NUL = b"\0"
"""Every stage flushes when it sees it."""

_END = b"[\n]" + _NUL
"""What ends one message in both directions: a blank that is passed on as it is, like all in brackets.

A stage whose predecessor died answers NUL alone, so an answer without the blank is none.
"""

_READ_BYTES = 65_536


class PipelineError(Exception):
    """The chain has ended or hangs; it is closed and cannot be used any more."""


class Pipeline:
    """A chain of programs kept open: text goes into the first one, its translation comes out of the last one.

    No process outlives this one: each stage is killed by the kernel when the thread that started it ends
    (`PR_SET_PDEATHSIG`), and would also see the end of its input. A chain that a finished thread had started is
    therefore broken, and is simply started again.

    Args:
        stages: Argument lists; each program flushes its output when it reads a NUL.
        timeout: Seconds that one exchange may take.
    """

    def __init__(self, stages: Sequence[Sequence[str]], *, timeout: float) -> None:
        self._timeout = timeout
        self._processes: list[subprocess.Popen[bytes]] = []
        source: IO[bytes] | int = subprocess.PIPE
        for stage in stages:
            process = _start(stage, source)
            if self._processes:
                _output(self._processes[-1]).close()  # Only the next stage may hold it, else its end goes unseen.
            self._processes.append(process)
            source = _output(process)
        os.set_blocking(self._input.fileno(), False)
        os.set_blocking(_output(self._processes[-1]).fileno(), False)

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of the chain."""
        return tuple(process.pid for process in self._processes)

    def exchange(self, message: str) -> str:
        """Send one message, in Apertium's stream format and without NUL, and wait for its answer.

        Raises:
            PipelineError: A stage ended, or no answer came in time; the chain is closed.
        """
        try:
            answer = self._exchange(message.encode() + _END)
        except (PipelineError, OSError) as error:
            self.close()
            raise PipelineError(str(error)) from error
        return answer.removesuffix(_END).decode(errors="replace")

    def close(self) -> None:
        """End all processes and wait for them."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        self._input.close()
        _output(self._processes[-1]).close()

    @property
    def _input(self) -> IO[bytes]:
        stream = self._processes[0].stdin
        if stream is None:
            raise PipelineError("the chain has no input")
        return stream

    def _exchange(self, message: bytes) -> bytes:
        # Reads while it still writes: a long message would otherwise fill the pipes of both ends and stop for ever.
        unsent, answer = memoryview(message), bytearray()
        deadline = time.monotonic() + self._timeout
        source, sink = _output(self._processes[-1]).fileno(), self._input.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(source, selectors.EVENT_READ)
            selector.register(sink, selectors.EVENT_WRITE)
            while not answer.endswith(_NUL):
                for key, _ in _ready(selector, deadline):
                    if key.fd == source:
                        answer += _read(source)
                    else:
                        unsent = unsent[os.write(sink, unsent) :]
                        if not unsent:
                            selector.unregister(sink)
        if not answer.endswith(_END):
            raise PipelineError("a program of the chain has ended")
        return bytes(answer)


def _ready(selector: selectors.BaseSelector, deadline: float) -> list[tuple[selectors.SelectorKey, int]]:
    ready = selector.select(max(0.0, deadline - time.monotonic()))
    if not ready:
        raise PipelineError("no answer in time")
    return ready


def _read(descriptor: int) -> bytes:
    data = os.read(descriptor, _READ_BYTES)
    if not data:
        raise PipelineError("a program of the chain has ended")
    return data


def _start(stage: Sequence[str], source: IO[bytes] | int) -> subprocess.Popen[bytes]:
    # setpriv sets the death signal and then becomes the program; a preexec_fn could deadlock in a threaded process.
    die_with_parent = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
    return subprocess.Popen(  # noqa: S603 - no shell; arguments come from Apertium's own mode files
        [*die_with_parent, *stage],
        stdin=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "LC_ALL": "C.UTF-8"},  # The programs read text by the locale.
    )


def _output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    if process.stdout is None:
        raise PipelineError("the chain has no output")
    return process.stdout
