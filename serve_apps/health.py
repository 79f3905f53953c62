"""Whether this replica can do its work: each part of what it stands on, looked at with a limit on the time."""

import shutil
from collections.abc import Callable, Mapping
from functools import partial

import anyio
from anyio.to_thread import run_sync

from cluster.errors import DubflowError, ErrorCode
from serve_apps.services import Services

OK = "ok"
_SECONDS = 3.0
_THREADS = 8
_PROBE_KEY = "readiness-probe"

Check = Callable[[Services], None]


def _database(services: Services) -> None:
    services.ledger.languages()


def _blob_store(services: Services) -> None:
    services.blobs.exists(_PROBE_KEY)


def _disk(services: Services) -> None:
    folder = services.settings.scratch_folder
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < services.settings.max_upload_bytes:
        raise DubflowError(ErrorCode.DISK_FULL, "there is no room for one more upload")


CHECKS: Mapping[str, Check] = {"database": _database, "blob_store": _blob_store, "disk": _disk}


class Readiness:
    """Runs the checks of one application.

    They have threads of their own: a database that hangs must take neither the threads of requests with it, nor ever
    more of them with every probe.
    """

    def __init__(self, services: Services, checks: Mapping[str, Check] = CHECKS, seconds: float = _SECONDS) -> None:
        self._services = services
        self._checks = checks
        self._seconds = seconds
        self._threads = anyio.CapacityLimiter(_THREADS)

    async def look(self) -> dict[str, str]:
        """`ok`, or the code of what is wrong, by the name of each check."""
        found: dict[str, str] = {}
        async with anyio.create_task_group() as group:
            for name, check in self._checks.items():
                group.start_soon(self._run, name, check, found)
        return {name: found[name] for name in self._checks}

    async def _run(self, name: str, check: Check, found: dict[str, str]) -> None:
        found[name] = "timeout"
        with anyio.move_on_after(self._seconds):
            try:
                await run_sync(partial(check, self._services), abandon_on_cancel=True, limiter=self._threads)
                found[name] = OK
            except DubflowError as error:
                found[name] = error.code.value
            except OSError:
                found[name] = ErrorCode.STORAGE_FAILED.value
