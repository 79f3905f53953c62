from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from cluster import layout
from cluster.blobs.contract import BlobStore
from cluster.blobs.store import open_blobs
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Job
from cluster.ledger.tables import removals
from cluster.removal import remove_job, sweep_removals
from tests.fixtures.ledgers import request


@pytest.fixture
def local(tmp_path: Path) -> BlobStore:
    return open_blobs((tmp_path / "blobs").as_uri())


class Interrupted:
    """A blob store that fails after some deletions, as when the process is killed there."""

    def __init__(self, blobs: BlobStore, deletions: int) -> None:
        self._blobs = blobs
        self._left = deletions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)

    def delete_prefix(self, prefix: str) -> None:
        if self._left == 0:
            raise DubflowError(ErrorCode.STORAGE_FAILED, "gone away")
        self._left -= 1
        self._blobs.delete_prefix(prefix)


def finished_job(ledger: Ledger, blobs: BlobStore, upload: str = "up1", result: str = "r1", **changes: Any) -> Job:
    """A job of the service that has ended, with a file everywhere where such a job has files."""
    tenant = changes.get("tenant", "default")
    source = f"{layout.upload(tenant, upload)}/source.mp4"
    wanted = request(
        source_uri=blobs.uri(source), destination=blobs.uri(layout.results(tenant, result)), stem="dub", **changes
    )
    job = ledger.submit(wanted)
    ledger.cancel(job.id)
    folders = (
        layout.results(tenant, result),
        layout.derived(tenant, job.id),
        layout.artefacts(tenant, wanted.source_uri, wanted.source_version),
    )
    for key in (source, *(f"{folder}/file" for folder in folders)):
        blobs.put_bytes(key, b"x")
    return job


def let_late_writes_end(ledger: Ledger) -> None:
    ledger._database.write(lambda connection: connection.execute(update(removals).values(created_at=0.0)))


def areas(blobs: BlobStore) -> list[str]:
    return sorted({key.partition("/")[0] for key in blobs.keys()})  # noqa: SIM118 - a store is no mapping


def test_nothing_of_a_job_is_left(ledger: Ledger, blobs: BlobStore) -> None:
    job = finished_job(ledger, blobs)
    remove_job(ledger, blobs, job)

    assert areas(blobs) == []
    assert ledger.jobs().jobs == ()
    assert ledger.removals() == ()


def test_what_another_job_needs_stays_until_that_goes(ledger: Ledger, local: BlobStore) -> None:
    first = finished_job(ledger, local, result="r1")
    second = finished_job(ledger, local, result="r2", target_languages=("fr",))
    foreign = finished_job(ledger, local, tenant="other")

    remove_job(ledger, local, first)
    left = list(local.keys("results/default"))
    assert (left, areas(local)) == (["results/default/r2/file"], ["artefacts", "derived", "results", "uploads"])

    remove_job(ledger, local, second)
    assert {key.split("/")[1] for key in local.keys()} == {"other"}  # noqa: SIM118
    remove_job(ledger, local, foreign)
    assert areas(local) == []


def test_files_outside_the_service_are_not_touched(ledger: Ledger, local: BlobStore) -> None:
    local.put_bytes("elsewhere/video.mp4", b"x")
    job = ledger.submit(request(source_uri=local.uri("elsewhere/video.mp4"), destination=local.uri("elsewhere")))
    ledger.cancel(job.id)
    remove_job(ledger, local, job)

    assert list(local.keys()) == ["elsewhere/video.mp4"]


@pytest.mark.parametrize("deletions", range(4))
def test_an_interrupted_removal_is_known_and_goes_on(sqlite_url: str, local: BlobStore, deletions: int) -> None:
    ledger = Ledger(sqlite_url)
    job = finished_job(ledger, local)
    interrupted: Any = Interrupted(local, deletions)

    with pytest.raises(DubflowError):
        remove_job(ledger, interrupted, job)
    with pytest.raises(DubflowError):  # the job is gone all the same
        ledger.job(job.id)
    assert areas(local) != []
    assert [removal.job_id for removal in ledger.removals()] == [job.id]

    assert [error.code for error in sweep_removals(ledger, Interrupted(local, 0))] == [  # type: ignore[arg-type]
        ErrorCode.STORAGE_FAILED
    ]
    assert sweep_removals(ledger, local) == ()
    assert areas(local) == []
    assert ledger.removals() == ()
    ledger.close()


def test_what_a_late_worker_writes_is_removed_too(ledger: Ledger, local: BlobStore) -> None:
    remove_job(ledger, local, finished_job(ledger, local))
    local.put_bytes("results/default/r1/dub.es.mp4", b"late")
    let_late_writes_end(ledger)
    sweep_removals(ledger, local)

    assert areas(local) == []
    assert ledger.removal("anything") is None
    let_late_writes_end(ledger)
    assert ledger.removals() == ()


def test_a_job_that_is_asked_for_again_keeps_its_files(ledger: Ledger, local: BlobStore) -> None:
    job = finished_job(ledger, local)
    remove_job(ledger, local, job)
    finished_job(ledger, local)
    let_late_writes_end(ledger)
    sweep_removals(ledger, local)

    assert areas(local) == ["artefacts", "derived", "results", "uploads"]


def test_a_job_that_runs_is_not_removed(ledger: Ledger, local: BlobStore) -> None:
    job = ledger.submit(request())
    with pytest.raises(DubflowError) as caught:
        remove_job(ledger, local, job)
    assert caught.value.code is ErrorCode.CONFLICT
    assert ledger.removals() == ()
