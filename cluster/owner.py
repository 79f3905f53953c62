"""Who holds a lease: an identity that tells a live process from a dead one, even where process ids are used again."""

import socket
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

import psutil

_SAME_START_SECONDS = 2.0
"""Start times are derived from the wall clock's boot time, which steps a little when the clock is corrected."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that may hold leases; `str(owner)` is what the ledger stores.

    Attributes:
        host: Name of the machine or container, with a short hash of its machine id.
        boot: Changes with every boot of the kernel.
        space: The process-id namespace: the same pid means another process in another container.
        pid: Process id within that namespace.
        started: Start of the process, whole seconds since the epoch.
        generation: Tells flows of one process apart.
    """

    host: str
    boot: str
    space: str
    pid: int
    started: int
    generation: int = 0

    def __str__(self) -> str:
        return f"{self.host}:{self.boot}.{self.space}:{self.pid}:{self.started}:{self.generation}"

    @classmethod
    def parse(cls, text: str) -> "Owner | None":
        """Read what `str` wrote; None for text of any other form."""
        try:
            host, kernel, pid, started, generation = text.split(":")
            boot, space = kernel.split(".")
            return cls(host, boot, space, int(pid), int(started), int(generation))
        except ValueError:
            return None


def this_process(generation: int = 0) -> Owner:
    """The identity of the calling process."""
    process = psutil.Process()
    return Owner(_host(), _boot(), _space(), process.pid, round(process.create_time()), generation)


def is_dead(owner: str) -> bool:
    """Tell whether an owner can never beat again.

    True only where that is certain from here: the machine is this one and was booted since, or the process is gone
    (or waits to be reaped), or its id now belongs to a process that started at another time. Owners elsewhere, and text
    that names none, are never called dead; their leases run out by themselves.
    """
    known = Owner.parse(owner)
    if known is None or known.host != _host():
        return False
    if known.boot != _boot():
        return True
    return known.space == _space() and not _runs(known.pid, known.started)


def _runs(pid: int, started: int) -> bool:
    try:
        process = psutil.Process(pid)
        if process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
            return False
        return abs(process.create_time() - started) <= _SAME_START_SECONDS
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


@cache
def _host() -> str:
    # Names like "localhost" are shared by many machines: the machine id keeps a stranger's other boot from reading as
    # a reboot of this one.
    name = socket.gethostname().replace(":", "-") or "localhost"
    return f"{name}/{_short(_text('/etc/machine-id'))}"


@cache
def _boot() -> str:
    return _short(_text("/proc/sys/kernel/random/boot_id") or str(round(psutil.boot_time())))


def _space() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    except OSError:
        return "0"


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _short(text: str) -> str:
    return blake2b(text.encode(), digest_size=4).hexdigest()
