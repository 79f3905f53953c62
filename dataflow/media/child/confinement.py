import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent(parent: int) -> None:
    """Have the kernel end this process when the thread that started it ends, however it does.

    Args:
        parent: Process id of the parent, to notice that it has died before the kernel was asked.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the parent has gone")


def confine(limits: dict[str, int]) -> None:
    """Take away what reading media does not need, before any of it is read.

    Args:
        limits: `memory` and `written` in bytes, `cpu` in seconds, `files` as a count of descriptors.
    """
    # The hard limit is a little higher: the soft one ends the process with a signal that tells the reason.
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu"], limits["cpu"] + 5))
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory"],) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["written"],) * 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits["files"],) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
