"""The Ray cluster under a command: a running one, or one of its own that leaves nothing behind."""

import logging
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil

from cluster.errors import DubflowError, ErrorCode
from cluster.owner import this_process
from cluster.scratch import own_folder, remove, sweep
from cluster.settings import Settings

_PREFIX = "dubflow-ray-"
_END_SECONDS = 10.0
_LOOK_SECONDS = 0.05
_STARTS = 3
"""Ray waits half a minute for a node of its own, which a machine that is busy with other things may exceed."""
_OBJECT_STORE_BYTES = 256 * 1024**2
"""Rows carry keys and never audio, so a small store is plenty."""


@contextmanager
def ray_cluster(settings: Settings) -> Iterator[None]:
    """Connect to the cluster of the settings, or start one on this machine for as long as the context lasts.

    To be entered before Ray is imported: it reads its environment as it is.

    Raises:
        DubflowError: `environment` where the cluster cannot be reached or started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if settings.ray_address:
        with _connected({"address": settings.ray_address}, settings):
            yield
        return
    temporary = Path(tempfile.gettempdir())
    sweep(temporary, _PREFIX)
    folder = own_folder(temporary, _PREFIX, str(this_process()))
    # A token of its own keeps other users of the machine out, and keeps Ray from writing one into the home folder.
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    local = {
        "include_dashboard": settings.dashboard,
        "object_store_memory": _OBJECT_STORE_BYTES,
        "_temp_dir": str(folder),
        **({"_node_ip_address": own_loopback(os.getpid())} if sys.platform == "linux" else {}),
    }
    started: list[psutil.Process] = []
    try:
        with _connected(local, settings):
            try:
                yield
            finally:
                started = psutil.Process().children(recursive=True)
    finally:
        _await_end(started)
        remove(folder)


def own_loopback(pid: int) -> str:
    """The loopback address of one process's cluster.

    An agent of Ray's takes a fixed port of its node's address: with one address for all, every cluster after the first
    waits three seconds for that port before it goes on without it. Only Linux has more loopback addresses than one.
    """
    return f"127.{64 + (pid >> 16) % 64}.{pid >> 8 & 255}.{pid & 255}"


def _await_end(processes: list[psutil.Process]) -> None:
    """Ray's processes end by themselves once its node is gone; those that do not in time are ended."""
    deadline = monotonic() + _END_SECONDS
    while (alive := [process for process in processes if _lives(process)]) and monotonic() < deadline:
        sleep(_LOOK_SECONDS)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _lives(process: psutil.Process) -> bool:
    """False for a zombie as well: whoever inherits it may take seconds to notice, or never does in a container."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def _connected(where: dict[str, Any], settings: Settings) -> Iterator[None]:
    import ray  # noqa: PLC0415 - takes seconds, which commands that need no cluster should not pay

    level = logging.getLevelName(settings.log_level.upper())
    starts = 1 if settings.ray_address else _STARTS
    for left in reversed(range(starts)):
        try:
            ray.init(**where, log_to_driver=settings.log_level in {"debug", "info"}, logging_level=level)
            break
        except Exception as error:  # a node that does not come up in time raises just that
            ray.shutdown()
            if not left:
                raise DubflowError(
                    ErrorCode.ENVIRONMENT,
                    f"Ray could not be started: {error}; run `dubflow doctor` for what is missing",
                ) from error
    try:
        yield
    finally:
        ray.shutdown()
