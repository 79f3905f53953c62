"""One real `dubflow serve` over SQLite and a folder: its tour, its promises, large files, and what kills cost."""

import hashlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import av
import httpx
import psutil
import pytest
import schemathesis
from av.stream import Disposition
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance

from cluster import layout
from cluster.blobs.local import LocalBlobs
from cluster.blobs.store import open_blobs
from cluster.ledger.ledger import Ledger
from cluster.settings import Settings
from cluster.sources import describe_source
from serve_apps.application import create_app
from tests.fixtures.ledgers import request as job_request
from tests.fixtures.services import Service, running_service, until

ROOT = Path(__file__).parents[3]
SAMPLE = (ROOT / "samples" / "jfk.mp4").read_bytes()
MIB = 1024 * 1024
LARGE = 300 * MIB
JOB_SECONDS = 240.0
OPERATIONS = [
    (method, path)
    for path, methods in create_app(Settings(_env_file=None)).openapi()["paths"].items()  # type: ignore[call-arg]
    for method in methods
]

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service"), profile="lite") as running:
        yield running


@dataclass(frozen=True)
class PlayedTrack:
    """A track of a film, as it is when all of it is decoded."""

    kind: str
    language: str | None
    default: bool
    seconds: float


def tracks(film: Path) -> list[PlayedTrack]:
    found = []
    with av.open(film.as_posix()) as container:
        indices = [stream.index for stream in container.streams if stream.type in {"video", "audio"}]
    for index in indices:
        with av.open(film.as_posix()) as container:
            stream = container.streams[index]
            times = [float(frame.time) for frame in container.decode(stream) if frame.time is not None]
            default = bool(stream.disposition & Disposition.default)
            found.append(PlayedTrack(stream.type, stream.language, default, max(times) - min(times)))
    return found


def upload(client: httpx.Client) -> httpx.Response:
    form = {"target_language": "es", "source_language": "en"}
    return client.post("/api/v1/upload", files={"file": ("jfk.mp4", SAMPLE)}, data=form)


@contextmanager
def half_an_upload(service: Service) -> Iterator[None]:
    """A connection on which the first half of an upload has been sent, and no more will be."""
    address = httpx.URL(service.url)
    with service.client() as client:
        request = client.build_request("POST", "/api/v1/upload", files={"file": ("jfk.mp4", SAMPLE)})
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    body = request.read()
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(f"POST /api/v1/upload HTTP/1.1\r\n{head}\r\n".encode() + body[: len(body) // 2])
        until(lambda: any((service.home / "scratch").glob("doors-*/*/file")))
        yield


def test_the_tour_of_the_readme_gives_a_film_that_plays(service: Service, tmp_path: Path) -> None:
    (tour,) = re.findall(r"### Over HTTP\n.*?```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    environment = {"PATH": os.environ["PATH"], "DUBFLOW_SERVICE_URL": service.url}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", tour],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert '"status":"completed"' in done.stdout
    picture, dub, original = tracks(tmp_path / "jfk.es.mp4")
    assert (picture.kind, dub.kind, original.kind) == ("video", "audio", "audio")
    assert (dub.language, original.language) == ("spa", "eng")
    assert dub.default
    assert not original.default
    assert 10.5 < dub.seconds < 11.5
    assert 0 < tracks(tmp_path / "clip.mp4")[0].seconds < 9
    with service.client() as client:
        assert client.get("/api/v1/jobs").json()["items"] == []


def test_an_upload_is_accepted_and_seen_by_every_replica(service: Service) -> None:
    with service.client() as client:
        accepted = upload(client)
        assert accepted.status_code == 202
        seen = [client.get(accepted.json()["status_url"]).json()["job_id"] for _ in range(10)]
    assert set(seen) == {accepted.json()["job_id"]}
    assert len(service.replicas()) == 2
    assert any(open_blobs((service.home / "blobs").as_uri()).keys("uploads"))


def test_a_request_has_one_id_through_proxy_and_replica(service: Service) -> None:
    with service.client() as client:
        mine = client.get("/api/v1/jobs/nothing/status", headers={"X-Request-Id": "mine-7"})
        new = client.get("/api/v1/jobs/nothing/status")
    assert mine.headers["x-request-id"] == mine.json()["request_id"] == "mine-7"
    assert new.headers["x-request-id"] == new.json()["request_id"]
    assert new.headers["content-type"] == "application/problem+json"


def test_a_file_that_is_too_large_is_a_problem_through_the_proxy_too(service: Service) -> None:
    with service.client() as client:
        answer = client.post("/api/v1/jobs", content=b" " * 2_000_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.fixture(scope="module")
def described(service: Service) -> BaseSchema:
    """What the running service says about itself."""
    return schemathesis.openapi.from_url(f"{service.url}/openapi.json")


@pytest.fixture(scope="module")
def finished(service: Service) -> str:
    """A finished job."""
    with service.client() as client:
        job_id: str = upload(client).json()["job_id"]
        until(lambda: client.get(f"/api/v1/jobs/{job_id}/status").json()["status"] == "completed", JOB_SECONDS)
    return job_id


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_answers_are_what_the_document_says(described: BaseSchema, finished: str, method: str, path: str) -> None:
    operation = described[path][method]
    valid, invalid = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)

    @given(case=valid | invalid)
    @settings(max_examples=8, database=None, phases=[Phase.generate], suppress_health_check=HealthCheck)
    def conforms(case: Case) -> None:
        if (
            "job_id" in case.path_parameters
            and case.meta.generation.mode is GenerationMode.POSITIVE
            and method != "delete"
        ):
            case.path_parameters["job_id"] = finished
        answer = case.call(timeout=120)
        assume(answer.content != b"Invalid HTTP request received.")  # the server says so of what is no HTTP at all
        # No document can say all that a valid request needs: that a file is a film, or a language one that is spoken.
        case.validate_response(answer, excluded_checks=[positive_data_acceptance])

    conforms()


@pytest.fixture(scope="module")
def link(service: Service) -> str:
    """A link to a large source."""
    blobs, ledger = LocalBlobs(service.home / "blobs"), Ledger(f"sqlite:///{service.home / 'ledger.sqlite'}")
    key = f"{layout.upload('default', '0' * 32)}/source.mp4"
    blobs.put_bytes(key, SAMPLE)
    os.truncate(blobs.local_path(key), LARGE)
    source = describe_source(blobs.uri(key))
    job = ledger.submit(job_request(source_uri=source.uri, source_version=source.version))
    ledger.close()
    with service.client() as client:
        address: str = client.get(f"/api/v1/jobs/{job.id}/download", params={"type": "source"}).json()["download_url"]
    return address


def held(service: Service) -> int:
    """Bytes that the processes of the service have for themselves."""
    total = 0
    for process in service.process.children(recursive=True):
        try:
            total += process.memory_info().rss - process.memory_info().shared
        except psutil.Error:
            continue
    return total


def test_a_client_that_stops_reading_costs_no_memory(service: Service, link: str) -> None:
    with service.client() as client:
        client.get(link, headers={"Range": "bytes=0-99"})
    before, address = held(service), urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port)) as stalled:
        stalled.sendall(f"GET {link} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
        head = stalled.recv(100)
        most = 0
        for _ in range(15):
            time.sleep(0.2)
            most = max(most, held(service) - before)

    assert head.startswith(b"HTTP/1.1 200")
    assert most < LARGE / 4


def test_a_large_file_arrives_whole(service: Service, link: str) -> None:
    digest, size = hashlib.sha256(), 0
    with service.client() as client, client.stream("GET", link) as answer:
        assert answer.headers["content-length"] == str(LARGE)
        assert answer.headers["x-content-type-options"] == "nosniff"
        for piece in answer.iter_bytes():
            digest.update(piece)
            size += len(piece)

    assert size == LARGE
    assert digest.hexdigest() == hashlib.sha256(SAMPLE + bytes(LARGE - len(SAMPLE))).hexdigest()


def test_what_the_door_does_not_open_is_the_applications_to_answer(service: Service, link: str) -> None:
    with service.client() as client:
        answer = client.get(link[:-4] + "AAAA")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.faults
def test_an_upload_survives_the_replicas_that_take_it(service: Service) -> None:
    data = SAMPLE + os.urandom(20 * MIB)
    with service.client() as client:
        upload = client.post("/api/v1/uploads", json={"name": "film.mp4", "size": len(data)}).json()
        first = client.put(upload["parts"][0]["url"], content=data[: 8 * MIB])
        assert first.status_code == 204
        sending = threading.Thread(target=send_slowly, args=(service, upload["upload_url"], data[8 * MIB : 16 * MIB]))
        sending.start()
        time.sleep(0.5)
        for replica in service.replicas():
            replica.kill()
        sending.join()
        until(lambda: client.get("/readyz").status_code == 200)

        offset = int(client.head(upload["upload_url"]).headers["upload-offset"])
        assert offset == 8 * MIB
        while offset < len(data):
            chunk = data[offset : offset + 8 * MIB]
            answer = client.patch(upload["upload_url"], content=chunk, headers={"Upload-Offset": str(offset)})
            offset = int(answer.headers["upload-offset"])
        done = client.post(upload["complete_url"])

    assert done.json()["status"] == "complete"
    blobs = LocalBlobs(service.home / "blobs")
    (key,) = blobs.keys(layout.upload("default", upload["upload_id"]))
    assert hashlib.sha256(blobs.get_bytes(key)).digest() == hashlib.sha256(data).digest()


def send_slowly(service: Service, url: str, data: bytes) -> None:
    def pieces() -> Iterator[bytes]:
        for start in range(0, len(data), MIB):
            yield data[start : start + MIB]
            time.sleep(0.25)

    with service.client() as client:
        try:
            answer = client.patch(url, content=pieces(), headers={"Upload-Offset": str(8 * MIB)})
        except httpx.TransportError:
            return
        assert answer.is_error


def test_replicas_killed_during_an_upload_are_replaced_and_no_job_is_left_of_it(service: Service) -> None:
    before = {one.pid for one in service.replicas()}
    ledger = Ledger(f"sqlite:///{service.home / 'ledger.sqlite'}")
    accepted = len(ledger.jobs().jobs)
    with half_an_upload(service):
        for replica in service.replicas():
            replica.kill()

    def answers() -> bool:
        with service.client() as client:
            return client.get("/readyz").status_code == 200

    until(answers)
    until(lambda: len({one.pid for one in service.replicas()} - before) == 2)
    assert len(ledger.jobs().jobs) == accepted
    with service.client() as client:
        until(lambda: upload(client).status_code == 202)
    assert len(ledger.jobs().jobs) == accepted + 1
    ledger.close()


def test_one_of_two_replicas_is_enough(service: Service) -> None:
    before = {one.pid for one in service.replicas()}
    service.replicas()[0].kill()
    with service.client() as client:
        until(lambda: upload(client).status_code == 202)
    until(lambda: len({one.pid for one in service.replicas()} - before) == 1)


def test_the_service_ends_when_it_is_told_and_leaves_nothing(service: Service) -> None:
    ledger = Ledger(f"sqlite:///{service.home / 'ledger.sqlite'}")
    accepted = len(ledger.jobs().jobs)
    assert service.end(signal.SIGTERM) == 0
    assert len(ledger.jobs().jobs) == accepted > 0
    ledger.close()
    left = [path.name for path in (service.home / "scratch").iterdir()]
    assert [name for name in left if not name.endswith(".log")] == []
    with pytest.raises(httpx.ConnectError), service.client() as client:
        client.get("/livez")
