import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient

from cluster.accounts.accounts import Accounts
from cluster.accounts.answers import OWNER_SECONDS, Turn
from cluster.accounts.records import Limits
from cluster.blobs.store import open_blobs
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import SupportedLanguage
from cluster.settings import Settings
from serve_apps.idempotency import request_seed
from tests.fixtures import door_processes
from tests.fixtures.accounts import let_time_pass
from tests.fixtures.doors import doors, new_key, service_settings
from tests.fixtures.processes import PROCESSES

SAMPLE = (Path(__file__).parent.parent.parent / "samples" / "jfk.mp4").read_bytes()
UPLOAD = "/api/v1/upload"
COUNT = "/api/v1/count"
KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
REPLAYED = "idempotency-replayed"


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    return service_settings(tmp_path, sqlite_url)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with doors(settings) as client:
        yield client


@pytest.fixture
def accounts(settings: Settings) -> Iterator[Accounts]:
    opened = Accounts(settings.database, Limits())
    yield opened
    opened.close()


class Counter:
    """A route that counts how often it really runs, and does then what a test wants."""

    def __init__(self) -> None:
        self.runs = 0
        self.seeds: list[str] = []
        self.then: Callable[[], Any] = dict

    async def __call__(self, request: Request) -> Any:
        size = len(await request.body())
        self.runs += 1
        self.seeds.append(request_seed(request))
        return {"run": self.runs, "size": size, **(self.then() or {})}


@pytest.fixture
def counter(client: TestClient) -> Counter:
    found = Counter()
    assert isinstance(client.app, FastAPI)
    client.app.add_api_route(COUNT, found.__call__, methods=["GET", "POST", "PUT"], response_model=None)
    return found


def upload(client: httpx.Client, name: str = "a.mp4", **headers: str) -> httpx.Response:
    form = {"target_language": "es", "source_language": "en"}
    return client.post(UPLOAD, files={"file": (name, SAMPLE, "video/mp4")}, data=form, headers={**KEY, **headers})


@pytest.mark.parametrize("tenant", ["default", "acme"])
def test_an_upload_that_is_sent_again_is_one_job(tmp_path: Path, database_url: str, tenant: str) -> None:
    settings = service_settings(tmp_path, database_url)
    headers = {} if tenant == "default" else {"X-API-Key": new_key(settings, tenant)}
    with doors(settings) as client, doors(settings) as replica:
        first, again = upload(client, **headers), upload(replica, **headers)
        jobs = client.get("/api/v1/jobs", headers=headers).json()["items"]

    assert first.request.headers["content-type"] != again.request.headers["content-type"]  # the boundary
    assert (first.status_code, REPLAYED in first.headers) == (202, False)
    assert (again.status_code, again.headers[REPLAYED]) == (202, "true")
    assert again.content == first.content
    for name in ("location", "content-type", "content-length"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert [job["job_id"] for job in jobs] == [first.json()["job_id"]]
    assert len(list(open_blobs(settings.blobs).keys("uploads"))) == 1


def test_without_a_key_a_request_runs_each_time(client: TestClient, counter: Counter) -> None:
    answers = [client.post(COUNT).json()["run"] for _ in range(2)]

    assert answers == [1, 2]
    assert counter.seeds[0] != counter.seeds[1]


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_only_posts_need_it(client: TestClient, counter: Counter, method: str) -> None:
    assert [client.request(method, COUNT, headers=KEY).json()["run"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(
    ("url", "request_"),
    [
        (COUNT, {"content": b"other"}),
        (COUNT, {"content": b""}),
        (f"{COUNT}?x=1", {"content": b"body"}),
        ("/api/v1/upload", {"content": b"body"}),
        (COUNT, {"content": b"body", "headers": {"Content-Type": "text/plain"}}),
    ],
)
def test_a_key_is_for_one_request(client: TestClient, counter: Counter, url: str, request_: dict[str, Any]) -> None:
    assert client.post(COUNT, content=b"body", headers=KEY).status_code == 200

    answer = client.post(url, **{**request_, "headers": {**request_.get("headers", {}), **KEY}})

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    assert answer.headers["content-type"] == "application/problem+json"
    assert counter.runs == 1


def test_while_the_first_is_answered_the_second_is_told_to_come_back(client: TestClient, counter: Counter) -> None:
    second: list[httpx.Response] = []

    def ask_again() -> None:
        # From another thread, as the route runs in the loop that would have to answer this as well.
        thread = threading.Thread(target=lambda: second.append(other.post(COUNT, headers=KEY)))
        thread.start()
        thread.join()

    with doors(client.app.state.services.settings) as other:  # type: ignore[attr-defined]
        counter.then = ask_again
        first = client.post(COUNT, headers=KEY)

    assert (second[0].status_code, second[0].json()["code"]) == (409, "conflict")
    assert int(second[0].headers["retry-after"]) > 0
    assert (first.status_code, counter.runs) == (200, 1)
    assert client.post(COUNT, headers=KEY).headers[REPLAYED] == "true"


def test_of_many_at_the_same_time_one_runs(client: TestClient, counter: Counter) -> None:
    start = threading.Barrier(8)

    def post(_number: int) -> httpx.Response:
        start.wait()
        return client.post(COUNT, content=b"body", headers=KEY)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(post, range(8)))

    assert counter.runs == 1
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert {answer.text for answer in answers if answer.status_code == 200} == {'{"run":1,"size":4}'}


def broken() -> None:
    raise RuntimeError


def refused() -> None:
    raise DubflowError(ErrorCode.CONFLICT, "not now")


@pytest.mark.parametrize(("trouble", "status"), [(broken, 500), (refused, 409)])
def test_after_an_error_the_same_request_is_tried_again(
    client: TestClient, counter: Counter, trouble: Callable[[], None], status: int
) -> None:
    counter.then = trouble
    assert client.post(COUNT, content=b"body", headers=KEY).status_code == status
    counter.then = dict

    assert client.post(COUNT, content=b"other", headers=KEY).status_code == 422
    answer = client.post(COUNT, content=b"body", headers=KEY)

    assert (answer.status_code, answer.json()["run"]) == (200, 2)
    assert counter.seeds[0] == counter.seeds[1]


def test_tenants_do_not_get_each_others_answers(client: TestClient, counter: Counter, settings: Settings) -> None:
    one, other = ({"X-API-Key": new_key(settings, tenant)} for tenant in ("acme", "zeta"))

    runs = [client.post(COUNT, headers={**KEY, **who}).json()["run"] for who in (one, other, one)]

    assert runs == [1, 2, 1]


def test_who_may_not_call_gets_no_answer_that_somebody_else_got(
    client: TestClient, counter: Counter, settings: Settings
) -> None:
    key = new_key(settings, "acme")
    client.post(COUNT, headers={**KEY, "X-API-Key": key})

    assert client.post(f"/api/v1/jobs/{'0' * 32}/cancel", headers=KEY).status_code == 401


def test_answers_with_secrets_are_not_kept(client: TestClient, counter: Counter, accounts: Accounts) -> None:
    assert isinstance(client.app, FastAPI)
    client.app.add_api_route(
        "/api/v1/secret",
        lambda: Response("ticket-4711", headers={"Cache-Control": "no-store"}),
        methods=["POST"],
        response_model=None,
    )

    answers = [client.post("/api/v1/secret", headers=KEY) for _ in range(2)]

    assert [(answer.text, REPLAYED in answer.headers) for answer in answers] == [("ticket-4711", False)] * 2
    assert isinstance(accounts.take_turn("default", KEY["Idempotency-Key"]), Turn)


@pytest.mark.parametrize("key", ["", " ", "k" * 256, "two words", "ñ", "tab\there"])
def test_keys_that_are_none_are_refused(client: TestClient, counter: Counter, key: str) -> None:
    answer = client.post(COUNT, headers={"Idempotency-Key": key.encode("latin-1")})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert counter.runs == 0


def test_a_body_that_is_too_large_is_refused_as_ever(client: TestClient, counter: Counter) -> None:
    answer = client.post(COUNT, content=(b"x" * 65536 for _ in range(20)), headers=KEY)

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert counter.runs == 0


def test_who_takes_over_from_the_dead_must_ask_for_the_same(
    client: TestClient, counter: Counter, accounts: Accounts
) -> None:
    """The dead request may have done its work: another body with its key must not be taken for it."""
    answer = client.post(COUNT, content=b"body", headers={"Idempotency-Key": "model"})
    assert answer.status_code == 200
    kept = accounts.take_turn("default", "model")
    dead = accounts.take_turn("default", KEY["Idempotency-Key"])
    assert isinstance(dead, Turn)
    assert not isinstance(kept, Turn)
    assert kept is not None
    accounts.fix_turn(dead, kept.fingerprint)
    assert client.post(COUNT, content=b"body", headers=KEY).status_code == 409
    let_time_pass(accounts, OWNER_SECONDS + 1)

    assert client.post(COUNT, content=iter([b"ot", b"her"]), headers=KEY).status_code == 422
    assert counter.runs == 1
    assert client.post(COUNT, content=b"body", headers=KEY).status_code == 200
    assert counter.seeds[-1] == dead.seed


@pytest.mark.faults
def test_a_replica_that_dies_between_the_commit_and_the_answer_has_made_one_job(
    settings: Settings, accounts: Accounts
) -> None:
    ledger = Ledger(settings.database)
    ledger.replace_languages(
        [SupportedLanguage("en", "English", "English"), SupportedLanguage("es", "Spanish", "español")]
    )
    port = free_port()
    values = {"home": settings.home, "database_url": settings.database_url, "blob_url": settings.blob_url}
    replica = PROCESSES.Process(target=door_processes.serve_and_die_before_the_answer, args=(values, port))
    replica.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as dying:
            wait_until_it_answers(dying)
            with pytest.raises(httpx.TransportError):
                upload(dying)
        replica.join(60)
        assert replica.exitcode == -9
    finally:
        replica.kill()
        replica.join()

    (made,) = ledger.jobs().jobs
    let_time_pass(accounts, OWNER_SECONDS + 1)
    with doors(settings) as client:
        again = upload(client)

    assert (again.status_code, again.json()["job_id"]) == (202, made.id)
    assert len(ledger.jobs().jobs) == 1
    assert len(list(open_blobs(settings.blobs).keys("uploads"))) == 1
    ledger.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until_it_answers(client: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            client.get("/livez")
        except httpx.TransportError:
            assert time.monotonic() < deadline, f"process {os.getpid()} waited in vain"
            time.sleep(0.05)
        else:
            return
