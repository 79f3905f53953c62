"""What is made of a job's files to show them: made when it is first asked for, then kept in the blob store."""

from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from weakref import WeakValueDictionary

import anyio
from anyio.to_thread import run_sync

from cluster import layout
from cluster.blobs.contract import BlobStore
from cluster.blobs.faults import file_errors
from cluster.errors import DubflowError, ErrorCode
from cluster.keys import digest
from cluster.ledger.records import Job
from cluster.settings import Settings
from serve_apps.files.places import Place

GROUP = "dubflow.media"
AT_ONCE = 2
"""Media processes of one replica; others wait."""

KEPT_CLIPS = 40
"""Of one job. Clips are as many as there are moments; those before are made again when they are wanted."""

Make = Callable[..., None]


class Derived:
    """Makes and keeps clips, pictures and the like.

    Args:
        blobs: Where they are kept.
        settings: For the media processes.
        scratch: Folder of this process, for what is being made.
    """

    def __init__(self, blobs: BlobStore, settings: Settings, scratch: Path) -> None:
        self._blobs = blobs
        self._settings = settings
        self._scratch = scratch
        self._processes = anyio.CapacityLimiter(AT_ONCE)
        self._locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()

    async def get(self, job: Job, kind: str, suffix: str, place: Place, **wanted: Any) -> str:
        """The key of something made from a file of a job.

        Args:
            job: Whose file it is; what is made of it goes with the job.
            kind: Name of the entry point that makes it.
            suffix: Of the file that is made.
            place: The job's file, as it is now.
            wanted: What else the entry point takes, and what decides the result.

        Raises:
            DubflowError: As the entry point; `storage_failed`, `disk_full`.
        """
        wanted |= {"version": place.version}
        name = digest(kind, place.uri, wanted)
        key = f"{layout.derived(job.request.tenant, job.id)}/{kind}/{name}{suffix}"
        lock = self._locks.setdefault(key, anyio.Lock())
        async with lock:  # who asks for the same waits for the one who makes it
            if not await run_sync(self._blobs.exists, key):
                await run_sync(partial(self._make, key, kind, place.uri, wanted), limiter=self._processes)
        return key

    def _make(self, key: str, kind: str, uri: str, wanted: dict[str, Any]) -> None:
        with file_errors(self._scratch), TemporaryDirectory(dir=self._scratch) as folder:
            output = Path(folder) / Path(key).name
            _entry_point(kind)(uri, output, self._settings, **wanted)
            self._make_room(key)
            self._blobs.put_file(key, output)

    def _make_room(self, key: str) -> None:
        kept = list(self._blobs.keys(key.rpartition("/")[0]))
        if len(kept) >= KEPT_CLIPS:
            for old in kept:
                self._blobs.delete(old)


@cache
def _entry_point(kind: str) -> Make:
    found = entry_points(group=GROUP, name=kind)
    if not found:
        raise DubflowError(ErrorCode.ENVIRONMENT, f"nothing makes a {kind}: the entry points {GROUP} are not installed")
    make: Make = next(iter(found)).load()
    return make
