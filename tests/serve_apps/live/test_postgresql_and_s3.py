"""One real `dubflow serve` over a PostgreSQL server and an S3 server, and the life of one film in it."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.frames import CloseCode
from websockets.sync.client import ClientConnection, connect

from cluster.blobs.store import open_blobs
from cluster.ledger.ledger import Ledger
from tests.fixtures.object_store import ObjectStore
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.services import Service, running_service, until

SAMPLE = (Path(__file__).parents[3] / "samples" / "jfk.mp4").read_bytes()
MIB = 1024 * 1024
PART_BYTES = 16 * MIB
SPARE_BYTES = 17 * MIB
FILM = SAMPLE + SPARE_BYTES.to_bytes(4, "big") + b"free" + bytes(SPARE_BYTES - 8)
"""Of two parts: what follows the index belongs to nothing, as players allow."""
API = "/api/v1"
JOB_SECONDS = 240.0

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Live:
    """The service, what it stands on, and what the ledger says about it.

    Attributes:
        bucket: Of the blob store, which lies under a prefix of it.
        blobs: URL of the blob store.
    """

    service: Service
    ledger: Ledger
    store: ObjectStore
    bucket: str
    postgres: PostgresServer

    @property
    def blobs(self) -> str:
        return f"s3://{self.bucket}/some/prefix"

    def objects(self) -> set[str]:
        listing = self.store.client().list_objects_v2(Bucket=self.bucket)
        return {item["Key"] for item in listing.get("Contents", [])}

    def watch(self, job_id: str, after: int | None = None) -> ClientConnection:
        query = "" if after is None else f"?after={after}"
        return connect(f"ws{self.service.url.removeprefix('http')}{API}/jobs/{job_id}/progress{query}", proxy=None)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, s3_server: ObjectStore, postgres: PostgresServer) -> Iterator[Live]:
    postgres.execute("CREATE DATABASE live")
    url, bucket = postgres.url("live"), s3_server.bucket()
    store = {"blob_url": f"s3://{bucket}/some/prefix", "s3_endpoint_url": s3_server.url}
    with running_service(tmp_path_factory.mktemp("service"), database_url=url, profile="lite", **store) as service:
        ledger = Ledger(url)
        yield Live(service, ledger, s3_server, bucket, postgres)
        ledger.close()


@pytest.fixture(scope="module")
def job_id(live: Live) -> str:
    """A job on a film that was sent to the object store in parts; it waits for a review."""
    with live.service.client() as client:
        upload = client.post(f"{API}/uploads", json={"name": "film.mp4", "size": len(FILM)}).json()
        for part in upload["parts"]:
            sent = httpx.put(part["url"], content=FILM[part["offset"] :][: part["size"]], trust_env=False)
            assert sent.status_code == 200
        assert client.post(upload["complete_url"]).json()["status"] == "complete"
        order = {"source_language": "en", "target_languages": ["es"], "review": True}
        accepted = client.post(f"{API}/jobs", json={"source": {"upload_id": upload["upload_id"]}, **order})
    assert [part["size"] for part in upload["parts"]] == [PART_BYTES, len(FILM) - PART_BYTES]
    assert not any(part["url"].startswith(live.service.url) for part in upload["parts"])
    assert accepted.status_code == 202
    name: str = accepted.json()["job_id"]
    return name


def status(live: Live, job_id: str) -> dict[str, Any]:
    with live.service.client() as client:
        told: dict[str, Any] = client.get(f"{API}/jobs/{job_id}/status").json()
    return told


def source_of(live: Live, job_id: str) -> dict[str, str]:
    upload = live.ledger.job(job_id).request.source_uri.split("/")[-2]
    return {"upload_id": upload}


def cut_off(live: Live, socket: ClientConnection) -> None:
    """Kill one replica after the other until it was the socket's."""
    for replica in live.service.replicas():
        replica.kill()
        try:
            with suppress(TimeoutError):
                message = socket.recv(timeout=3.0)
                pytest.fail(f"nothing happens to the job, and yet there is {message!r}")
        except ConnectionClosedError:
            return
    pytest.fail("no replica had it")


def repeated(live: Live, path: str, key: str, body: dict[str, Any]) -> httpx.Response:
    """A POST until it is answered by a replica that lives; by its key it happens once."""
    answers: list[httpx.Response] = []

    def accepted() -> bool:
        with suppress(httpx.TransportError), live.service.client() as client:
            answers.append(client.post(f"{API}{path}", json=body, headers={"Idempotency-Key": key}))
        return bool(answers) and answers[-1].status_code < 500

    until(accepted)
    return answers[-1]


def test_a_watcher_whose_replica_is_killed_misses_nothing(live: Live, job_id: str) -> None:
    until(lambda: live.ledger.job(job_id).status == "awaiting_review", JOB_SECONDS)
    known = live.ledger.job(job_id).seq
    with live.watch(job_id, after=known - 1) as socket:
        assert json.loads(socket.recv(timeout=60.0))["seq"] == known
        cut_off(live, socket)

    assert repeated(live, f"/jobs/{job_id}/redub", job_id, {}).status_code == 202
    with live.watch(job_id, after=known) as socket:
        later = [json.loads(message) for message in socket]

    assert socket.close_code == CloseCode.NORMAL_CLOSURE
    assert [message["seq"] for message in later] == [
        event.seq for event in live.ledger.events(job_id, known, limit=10_000)
    ]
    assert later[-1]["data"]["status"] == status(live, job_id)["status"] == "completed"


def test_a_presigned_link_gives_the_file_that_the_ledger_names(live: Live, job_id: str) -> None:
    (output,) = live.ledger.outputs(job_id)
    blobs = open_blobs(live.blobs, live.store.url)
    assert set(output.files) == {"video", "srt", "vtt", "script"}
    with live.service.client() as client:
        for kind, uri in output.files.items():
            link = client.get(f"{API}/jobs/{job_id}/download", params={"type": kind}).json()
            fetched = httpx.get(link["download_url"], trust_env=False)

            assert link["download_url"].startswith(live.store.url)
            assert link["filename"] in fetched.headers["content-disposition"]
            assert fetched.status_code == 200
            assert fetched.content == blobs.get_bytes(uri.removeprefix(f"{live.blobs}/"))
            assert len(fetched.content) == link["file_size"] > 0


def test_a_database_that_restarts_costs_neither_jobs_nor_the_truth_of_answers(live: Live, job_id: str) -> None:
    answers: list[httpx.Response] = []
    over = Event()

    def poll() -> None:
        with live.service.client() as client:
            while not over.wait(0.05):
                answers.append(client.get(f"{API}/jobs/{another}/status"))

    order = {"source": source_of(live, job_id), "source_language": "en", "target_languages": ["ca"]}
    with live.service.client() as client:
        another = client.post(f"{API}/jobs", json=order).json()["job_id"]
    polling = Thread(target=poll)
    polling.start()
    for _ in range(2):
        live.postgres.stop()
        time.sleep(1.0)
        live.postgres.start()
        time.sleep(1.0)
    until(lambda: live.ledger.job(another).status.terminal, JOB_SECONDS)
    over.set()
    polling.join()

    done = live.ledger.job(another)
    assert (done.status, done.attempt) == ("completed", 1)
    assert {answer.status_code for answer in answers} <= {200, 500, 503}
    for answer in answers:
        told = answer.json()
        if answer.is_success:
            assert told["job_id"] == another
            assert told["status"] in {"uploaded", "processing", "completed"}
        else:
            assert answer.headers["content-type"] == "application/problem+json"
            assert told["code"] == "database_failed"
    progress = [answer.json()["progress"] for answer in answers if answer.is_success]
    assert progress == sorted(progress)
    assert answers[-1].is_success


def test_nothing_of_deleted_jobs_stays_in_the_bucket(live: Live, job_id: str) -> None:
    with live.service.client() as client:
        for one in client.get(f"{API}/jobs").json()["items"]:
            assert any("/uploads/" in name for name in live.objects())
            assert client.delete(f"{API}/jobs/{one['job_id']}").status_code == 204
            assert client.get(f"{API}/jobs/{one['job_id']}/status").status_code == 404

    assert {name for name in live.objects() if "/paces/" not in name} == set()  # how fast voices speak is nobody's
    parts = live.store.client().list_multipart_uploads(Bucket=live.bucket)
    assert parts.get("Uploads", []) == []
