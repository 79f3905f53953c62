"""After its time nothing of a job is left: in the blob store, in the ledger, wherever the sweep was interrupted."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from cluster import layout, retention
from cluster.blobs.contract import TEMPORARY_PREFIX, BlobStore
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.clock import Now
from cluster.ledger.ledger import Ledger
from cluster.ledger.library_records import LibraryVoice
from cluster.ledger.records import Job
from cluster.ledger.tables import events, jobs, removals, uploads, voices
from cluster.retention import sweep
from cluster.settings import Settings
from tests.fixtures.ledgers import request
from tests.fixtures.library import SERIES, OnALine, episode, heard, people

DAY = 24 * 3600.0
SETTINGS = Settings(_env_file=None, retention_days=30.0)  # type: ignore[call-arg]


def job_of_the_service(ledger: Ledger, blobs: BlobStore, number: int = 1, **changes: Any) -> Job:
    """One that runs, with a file in every place where such a job has files."""
    source = f"{layout.upload('default', f'{number:032x}')}/source.mp4"
    results = layout.results("default", f"{number:032x}")
    wanted = request(source_uri=blobs.uri(source), destination=blobs.uri(results), stem="dub", **changes)
    job = ledger.submit(wanted)
    folders = (results, layout.derived("default", job.id), layout.artefacts("default", wanted.source_uri, "etag-1"))
    for key in (source, *(f"{folder}/file" for folder in folders)):
        blobs.put_bytes(key, b"x")
    return job


def age(ledger: Ledger, seconds: float) -> None:
    """Let everything that is there have happened so long ago."""

    def shift(connection: Any) -> None:
        for column in (jobs.c.updated_at, jobs.c.created_at, removals.c.created_at, uploads.c.expires_at):
            connection.execute(update(column.table).values({column.name: Now() - seconds}))

    ledger._database.write(shift)


def count_events(ledger: Ledger) -> int:
    counted = select(func.count()).select_from(events)
    return ledger._database.read(lambda connection: connection.execute(counted).scalar_one())


def test_an_old_job_leaves_nothing_behind(ledger: Ledger, blobs: BlobStore) -> None:
    ledger.cancel(job_of_the_service(ledger, blobs).id)
    age(ledger, 29 * DAY)
    assert sweep(ledger, blobs, SETTINGS).jobs == 0
    assert ledger.jobs().jobs

    age(ledger, 31 * DAY)
    swept = sweep(ledger, blobs, SETTINGS)
    assert (swept.jobs, swept.failed, swept.more) == (1, (), False)
    age(ledger, DAY)
    sweep(ledger, blobs, SETTINGS)
    assert list(blobs.keys()) == []
    assert ledger.jobs().jobs == ()
    assert ledger.removals() == ()
    assert count_events(ledger) == 0


def test_work_that_is_not_over_stays_however_old(ledger: Ledger, blobs: BlobStore) -> None:
    job_of_the_service(ledger, blobs, 1)
    job_of_the_service(ledger, blobs, 2)
    ledger.claim("worker")
    before = list(blobs.keys())
    age(ledger, 100 * DAY)
    sweep(ledger, blobs, SETTINGS)
    assert list(blobs.keys()) == before
    assert len(ledger.jobs().jobs) == 2


def test_what_waits_for_a_person_for_ever_goes_too(ledger: Ledger, blobs: BlobStore) -> None:
    job = job_of_the_service(ledger, blobs)
    ledger._database.write(lambda connection: connection.execute(update(jobs).values(status="awaiting_review")))
    age(ledger, 31 * DAY)
    assert sweep(ledger, blobs, SETTINGS).jobs == 1
    with pytest.raises(DubflowError, match=job.id):
        ledger.job(job.id)


def test_results_in_folders_of_users_and_their_jobs_stay(ledger: Ledger, blobs: BlobStore) -> None:
    blobs.put_bytes("films/talk.es.mp4", b"x")
    blobs.put_bytes("results-of-mine/talk.es.mp4", b"x")
    for place in ("films", "results-of-mine"):
        ledger.cancel(ledger.submit(request(place, destination=blobs.uri(place))).id)
    age(ledger, 100 * DAY)
    assert sweep(ledger, blobs, SETTINGS).jobs == 0
    assert len(list(blobs.keys())) == 2
    assert len(ledger.jobs().jobs) == 2


def test_events_of_old_jobs_go_but_for_the_one_that_says_that_they_are_over(ledger: Ledger, blobs: BlobStore) -> None:
    job = ledger.cancel(ledger.submit(request()).id)
    running = ledger.submit(request("other"))
    age(ledger, 31 * DAY)
    sweep(ledger, blobs, SETTINGS)
    assert [event.seq for event in ledger.events(job.id)] == [job.seq]
    assert len(ledger.events(running.id)) == running.seq


@pytest.mark.parametrize("interruption", range(5))
def test_a_sweep_that_is_killed_is_finished_by_the_next(sqlite_url: str, blobs: BlobStore, interruption: int) -> None:
    ledger = Ledger(sqlite_url)
    for number in (1, 2):
        ledger.cancel(job_of_the_service(ledger, blobs, number).id)
    age(ledger, 31 * DAY)
    with pytest.raises(KeyboardInterrupt):
        sweep(ledger, Killed(blobs, interruption), SETTINGS)  # type: ignore[arg-type]
    sweep(ledger, blobs, SETTINGS)
    assert list(blobs.keys()) == []
    assert ledger.jobs().jobs == ()
    ledger.close()


def test_one_job_that_cannot_be_removed_does_not_keep_the_others(sqlite_url: str, blobs: BlobStore) -> None:
    ledger = Ledger(sqlite_url)
    for number in (1, 2):
        ledger.cancel(job_of_the_service(ledger, blobs, number).id)
    age(ledger, 31 * DAY)
    refused = layout.results("default", f"{1:032x}")
    swept = sweep(ledger, Refusing(blobs, refused), SETTINGS)  # type: ignore[arg-type]
    assert {error.code for error in swept.failed} == {ErrorCode.STORAGE_FAILED}
    assert {key.split("/")[2] for key in blobs.keys("results")} == {f"{1:032x}"}
    sweep(ledger, blobs, SETTINGS)
    assert list(blobs.keys()) == []
    ledger.close()


def test_a_call_does_a_bounded_number_and_says_that_there_is_more(
    sqlite_url: str, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "JOBS_AT_ONCE", 2)
    ledger = Ledger(sqlite_url)
    for number in range(5):
        ledger.cancel(job_of_the_service(ledger, blobs, number).id)
    age(ledger, 31 * DAY)
    swept = [sweep(ledger, blobs, SETTINGS) for _ in range(3)]
    assert [(one.jobs, one.more) for one in swept] == [(2, True), (2, True), (1, False)]
    assert list(blobs.keys()) == []
    ledger.close()


def test_people_of_series_are_forgotten_whom_nobody_has_heard_for_long(ledger: Ledger, blobs: BlobStore) -> None:
    lease = episode(ledger, "one")
    ann, bob = ledger.meet(lease, SERIES, heard(1.0, 5.0), OnALine()).people.values()
    for person in (ann, bob):
        blobs.put_bytes(f"{layout.voice('default', person.id)}/own-1.flac", b"sound")
        ledger.clone(lease, person.id, "own-1")
    ledger.cancel(lease.job_id)
    ledger.delete(lease.job_id)

    def heard_last(person: LibraryVoice, days: float) -> None:
        then = update(voices).where(voices.c.id == person.id).values(met_at=Now() - days * DAY)
        ledger._database.write(lambda connection: connection.execute(then))

    heard_last(ann, SETTINGS.voice_retention_days - 1)
    heard_last(bob, SETTINGS.voice_retention_days + 1)
    assert sweep(ledger, blobs, SETTINGS).failed == ()
    assert [person.label for person in people(ledger)] == ["V1"]
    assert [key.split("/")[2] for key in blobs.keys("voices")] == [ann.id]


def test_files_of_dead_writers_go_and_those_of_the_living_stay(ledger: Ledger, tmp_path: Path) -> None:
    from cluster.blobs.store import open_blobs  # noqa: PLC0415 - the only test of folders alone

    blobs = open_blobs(tmp_path.as_uri())
    dead, alive = (tmp_path / f"{TEMPORARY_PREFIX}{name}" for name in ("dead", "alive"))
    for path in (dead, alive):
        path.touch()
    os.utime(dead, (0, time.time() - 2 * DAY))
    assert sweep(ledger, blobs, SETTINGS).unfinished == 1
    assert [path.name for path in tmp_path.glob(f"{TEMPORARY_PREFIX}*")] == [alive.name]


class Killed:
    """A blob store at which the process ends, at the n-th deletion."""

    def __init__(self, blobs: BlobStore, deletions: int) -> None:
        self._blobs = blobs
        self._left = deletions

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._blobs, name)
        return method

    def delete_prefix(self, prefix: str) -> None:
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1
        self._blobs.delete_prefix(prefix)


class Refusing(Killed):
    """A blob store that does not delete below a prefix."""

    def __init__(self, blobs: BlobStore, prefix: str) -> None:
        super().__init__(blobs, 0)
        self._prefix = prefix

    def delete_prefix(self, prefix: str) -> None:
        if prefix == self._prefix:
            raise DubflowError(ErrorCode.STORAGE_FAILED, "the bucket's policy says no")
        self._blobs.delete_prefix(prefix)
