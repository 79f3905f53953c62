import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, Self, TypeVar, cast

import psutil

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.records import MediaLimits
from dataflow.media.wire import HEADER, BrokenFrameError, Kind, header, parse_header
from dataflow.work import current

COMMAND = (sys.executable, "-s", "-P", "-m", "dataflow.media.child")
"""What is started. User site packages and the current folder are not on its import path."""

PIPE_BYTES = 1 << 20
"""Room in a pipe, so that parent and child need not take turns for every block."""

FILES = 64
"""Descriptors that a child may have open."""

REAP_SECONDS = 30.0
"""How long to wait for a killed child: only one that hangs in the kernel, on a dead file server, needs more."""

Reply = dict[str, Any]
Parsed = TypeVar("Parsed")


class MediaChild:
    """A process that serves one request about one media file. A context manager: leaving it ends the process.

    The thread that enters must live on until it leaves, as the kernel ends the child together with that thread.

    Args:
        request: JSON fields; the `task`, `source` (a descriptor) and what the task wants.
        limits: What the file may cost.
        descriptors: Descriptors that the child inherits under the same numbers.
    """

    def __init__(self, request: dict[str, Any], limits: MediaLimits, descriptors: Sequence[int]) -> None:
        self._limits = limits
        self._descriptors = descriptors
        size = os.fstat(request["source"]).st_size
        self._request = request | {
            "max_pixels": limits.max_pixels,
            "max_streams": limits.max_streams,
            "max_seconds": limits.max_seconds,
            "confinement": {
                "cpu": limits.cpu_seconds(size),
                "memory": limits.memory_bytes,
                "written": limits.output_bytes(size),
                "files": FILES,
            },
        }
        self._work = current()
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with self._resources:
            try:
                self._log = self._resources.enter_context(tempfile.TemporaryFile())
                self._process = self._start()
            except OSError as error:
                message = f"the media process cannot be started: {error.strerror}; check memory and temporary files"
                raise DubflowError(ErrorCode.ENVIRONMENT, message) from error
            self._resources.callback(self._end)
            self._resources.enter_context(self._work.ending(self._kill))
            self._inbox = cast("IO[bytes]", self._process.stdout).fileno()
            self._outbox = cast("IO[bytes]", self._process.stdin).fileno()
            for pipe in (self._inbox, self._outbox):
                with suppress(OSError):  # the user's share of pipe memory is used up: slower, not wrong
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            os.set_blocking(self._outbox, False)
            self.send(Kind.TEXT, memoryview(json.dumps(self._request).encode()))
            self._resources = self._resources.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._resources.close()

    @property
    def pid(self) -> int:
        """The child's process id, which is that of its process group too."""
        return self._process.pid

    def send(self, kind: Kind, payload: memoryview) -> None:
        """Pass a frame to the child.

        Raises:
            DubflowError: What the child reports, or how it ended.
        """
        self._write(memoryview(header(kind, payload.nbytes)))
        self._write(payload.cast("B"))

    def receive(self) -> bytearray | Reply:
        """The child's next frame: a block of samples, or the reply that ends the conversation.

        Raises:
            DubflowError: What the child reports, or how it ended.
        """
        try:
            kind, size = parse_header(self._read(HEADER.size))
            payload = self._read(size)
            if kind is Kind.ERROR:
                raise _reported(payload)
            if kind is Kind.TEXT:
                reply: Reply = json.loads(payload)
                return reply
        except (BrokenFrameError, ValueError, KeyError, TypeError) as error:
            raise _garbled() from error
        return payload

    def reply(self) -> Reply:
        """The reply, where no samples are expected before it.

        Raises:
            DubflowError: What the child reports, or how it ended.
        """
        frame = self.receive()
        if isinstance(frame, bytearray):
            raise _garbled()
        return frame

    def _write(self, data: memoryview) -> None:
        while data:
            self._wait(self._outbox, select.POLLOUT)
            try:
                data = data[os.write(self._outbox, data) :]
            except BrokenPipeError:
                # The child has stopped reading: it has reported why, or it has died.
                self.receive()
                raise _garbled() from None

    def _read(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            self._wait(self._inbox, select.POLLIN)
            count = os.readv(self._inbox, [view])
            if not count:
                raise self._death()
            view = view[count:]
        return data

    def _wait(self, fd: int, event: int) -> None:
        """Wait for a pipe; a child that meanwhile neither uses its pipes nor touches a file has stalled."""
        poll = select.poll()
        poll.register(fd, event)
        half = self._limits.stall_seconds * 500
        if poll.poll(half):
            return
        touched = self._bytes_touched()
        while not poll.poll(half):
            if (now := self._bytes_touched()) == touched:
                message = f"reading the file made no progress for {self._limits.stall_seconds:g} s"
                raise DubflowError(ErrorCode.MEDIA_LIMIT, message)
            touched = now

    def _bytes_touched(self) -> int:
        with suppress(psutil.Error, OSError):
            counters = psutil.Process(self._process.pid).io_counters()
            return int(counters.read_chars + counters.write_chars)
        return 0

    def _death(self) -> DubflowError:
        """Why the child ended without a reply.

        Raises:
            LeaseLostError: It was ended because nobody wants its work any more.
        """
        self._work.check()
        try:
            status = self._process.wait(REAP_SECONDS)
        except subprocess.TimeoutExpired:
            return _garbled()
        if status == -signal.SIGXCPU:
            return DubflowError(ErrorCode.MEDIA_LIMIT, "reading the file takes more processor time than is allowed")
        if status == -signal.SIGKILL:
            message = "the decoder was killed with signal 9 (SIGKILL); the machine may have run out of memory"
            return DubflowError(ErrorCode.DECODER_CRASHED, message)
        if status < 0:
            name = signal.Signals(-status).name if -status in set(signal.Signals) else "unknown"
            message = f"the decoder crashed with signal {-status} ({name}); the file is damaged or hostile"
            return DubflowError(ErrorCode.DECODER_CRASHED, message)
        self._log.seek(0)
        last = self._log.read(1 << 16).decode(errors="replace").strip().rpartition("\n")[2]
        if "MemoryError" in last:
            return DubflowError(ErrorCode.MEDIA_LIMIT, "reading the file needs more memory than is allowed")
        return DubflowError(ErrorCode.INTERNAL, f"the media process ended with status {status}: {last or 'no message'}")

    def _start(self) -> subprocess.Popen[bytes]:
        folder = tempfile.mkdtemp(prefix="dubflow-media-")
        try:
            return subprocess.Popen(  # noqa: S603 - a fixed command; user input only travels through the pipe
                [*COMMAND, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                cwd=folder,
                env=_environment(),
                pass_fds=self._descriptors,
                process_group=0,
                bufsize=0,
            )
        finally:
            # The child stays in its folder, where nothing was and nothing can be made any more.
            Path(folder).rmdir()

    def _end(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(REAP_SECONDS)

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def parsed(reply: Reply, parse: Callable[[Reply], Parsed]) -> Parsed:
    """A record of a reply. One that cannot be read counts as a crash: the child has read hostile data.

    Raises:
        DubflowError: DECODER_CRASHED.
    """
    try:
        return parse(reply)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _garbled() from error


def _environment() -> dict[str, str]:
    """The little that Python needs; credentials and proxies stay here."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return kept | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONUTF8": "1",
        # Each further arena takes 64 MB of address space, and one thread needs one.
        "MALLOC_ARENA_MAX": "1",
    }


def _reported(payload: bytearray) -> DubflowError:
    error = json.loads(payload)
    return DubflowError(ErrorCode(error["code"]), str(error["message"])[:1000])


def _garbled() -> DubflowError:
    return DubflowError(ErrorCode.DECODER_CRASHED, "the decoder broke off in confusion; the file is damaged or hostile")
