import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import connect

from cluster.accounts.accounts import Accounts
from cluster.accounts.records import Limits
from cluster.ledger import watching
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Lease, Stage
from cluster.settings import Settings
from serve_apps import progress
from tests.fixtures.asgi_server import served
from tests.fixtures.doors import doors, new_key, service_settings
from tests.fixtures.ledgers import claimed, request, scene

Messages = list[dict[str, Any]]

PATIENCE_SECONDS = 60.0
SOCKETS = "ws://127.0.0.1:8000"
"""The in-process client's own default is no address of this machine."""


@pytest.fixture
def settings(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.02)
    return service_settings(tmp_path, database_url)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    opened = Ledger(settings.database)
    yield opened
    opened.close()


@pytest.fixture
def client(settings: Settings, ledger: Ledger) -> Iterator[TestClient]:
    with doors(settings) as opened:
        yield opened


def work(ledger: Ledger, lease: Lease) -> None:
    ledger.expect(lease, Stage.TRANSCRIPTION, "", 3)
    for index in range(3):
        ledger.begin(lease, scene(index), "key")
        ledger.finish(lease, scene(index), "key", seconds=1.0)
    ledger.publish(lease, "es", {"video": "a"}, {})


def hear(client: TestClient, address: str, meanwhile: Callable[[], None] = lambda: None) -> tuple[Messages, int]:
    """All messages of a WebSocket up to its end, and how that was closed."""
    heard: Messages = []
    with client.websocket_connect(SOCKETS + address) as socket:
        try:
            while True:
                heard.append(socket.receive_json())
                if len(heard) == 1:
                    meanwhile()
        except WebSocketDisconnect as closed:
            return heard, closed.code


def stream(client: TestClient, address: str, **headers: str) -> Messages:
    """All messages of an event stream up to its end."""
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    return of_stream(answer.text)


def of_stream(text: str) -> Messages:
    found: Messages = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            message = json.loads(fields["data"])
            assert fields["id"] == str(message["seq"])
            found.append(message)
    return found


def path(job_id: str, what: str) -> str:
    return f"/api/v1/jobs/{job_id}/{what}"


def test_a_websocket_gets_a_snapshot_and_every_event_and_is_closed_after_the_last(
    client: TestClient, ledger: Ledger
) -> None:
    lease = claimed(ledger)
    before = ledger.job(lease.job_id).seq

    heard, code = hear(client, path(lease.job_id, "progress"), lambda: work(ledger, lease))

    last = ledger.job(lease.job_id).seq
    assert code == 1000
    assert (heard[0]["type"], heard[0]["seq"]) == ("snapshot", before)
    status = client.get(path(lease.job_id, "status")).json()
    assert heard[0]["job"].keys() == status.keys()
    assert heard[0]["job"]["status"] == "processing"
    assert [message["seq"] for message in heard[1:]] == list(range(before + 1, last + 1))
    assert {message["type"] for message in heard[1:]} == {"event"}
    assert heard[-1]["data"]["status"] == "completed"
    percents = [one["data"]["percent"] for one in heard[1:] if one["kind"] == "stage"]
    assert percents[-1] == 100
    assert percents == sorted(percents)


def test_an_event_stream_says_the_same(client: TestClient, ledger: Ledger) -> None:
    lease = claimed(ledger)
    work(ledger, lease)
    last = ledger.job(lease.job_id).seq

    for after in (0, 3, last - 1):
        by_socket, _ = hear(client, f"{path(lease.job_id, 'progress')}?after={after}")
        by_query = stream(client, f"{path(lease.job_id, 'events')}?after={after}")
        by_header = stream(client, path(lease.job_id, "events"), **{"Last-Event-ID": str(after)})
        assert by_socket == by_query == by_header
        assert [message["seq"] for message in by_socket] == list(range(after + 1, last + 1))
    (snapshot,) = stream(client, path(lease.job_id, "events"))
    assert snapshot == hear(client, path(lease.job_id, "progress"))[0][0]
    assert snapshot["job"]["status"] == "completed"


def test_who_knows_the_end_is_told_to_stay_away(client: TestClient, ledger: Ledger) -> None:
    job = ledger.cancel(ledger.submit(request()).id)

    assert client.get(path(job.id, "events"), headers={"Last-Event-ID": str(job.seq)}).status_code == 204
    assert hear(client, f"{path(job.id, 'progress')}?after={job.seq}") == ([], 1000)


@pytest.mark.parametrize("after", ["-1", "x", str(2**70)])
def test_a_number_that_is_none_is_refused(client: TestClient, ledger: Ledger, after: str) -> None:
    job = ledger.cancel(ledger.submit(request()).id)

    assert client.get(f"{path(job.id, 'events')}?after={after}").json()["code"] == "invalid_request"
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect(SOCKETS + f"{path(job.id, 'progress')}?after={after}"),
    ):
        pass
    assert refused.value.code == 1008


def test_jobs_of_others_are_as_unknown_as_those_that_are_not(
    client: TestClient, ledger: Ledger, settings: Settings
) -> None:
    foreign = ledger.submit(request(tenant="other")).id
    headers = {"X-API-Key": new_key(settings, "mine")}

    answers = []
    for job_id in (foreign, "0" * 32, "nonsense"):
        with (
            pytest.raises(WebSocketDisconnect) as refused,
            client.websocket_connect(SOCKETS + path(job_id, "progress"), headers=headers),
        ):
            pass
        events, trace = (client.get(path(job_id, what), headers=headers) for what in ("events", "trace"))
        answers.append((refused.value.code, events.status_code, events.json()["code"], trace.status_code))

    assert answers == [(1008, 404, "not_found", 404)] * 3


def test_one_key_has_only_so_many_connections(tmp_path: Path, database_url: str) -> None:
    settings = service_settings(tmp_path, database_url, max_watchers_per_key=1)
    ledger = Ledger(database_url)
    job = ledger.submit(request())
    with doors(settings) as client:
        with client.websocket_connect(SOCKETS + path(job.id, "progress")) as first:
            assert first.receive_json()["type"] == "snapshot"
            refused = client.get(path(job.id, "events"))
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
            assert int(refused.headers["Retry-After"]) > 0
            assert hear(client, path(job.id, "progress")) == ([], 1013)
        ledger.cancel(job.id)
        assert hear(client, path(job.id, "progress"))[1] == 1000
    ledger.close()


def test_a_client_that_talks_too_much_is_sent_away(client: TestClient, ledger: Ledger) -> None:
    job = ledger.submit(request())
    with client.websocket_connect(SOCKETS + path(job.id, "progress")) as socket:
        socket.receive_json()
        socket.send_text("hello")
        socket.send_text("x" * 5000)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()

    assert closed.value.code == 1009


def test_a_revoked_key_ends_the_connection(settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "CHECK_SECONDS", 0.05)
    job = ledger.submit(request(tenant="mine"))
    key = new_key(settings, "mine")
    accounts = Accounts(settings.database, Limits.of(settings))
    with doors(settings) as client:
        monkeypatch.setattr("cluster.accounts.identities.REMEMBERED_SECONDS", 0.0)
        with client.websocket_connect(SOCKETS + path(job.id, "progress"), headers={"X-API-Key": key}) as socket:
            socket.receive_json()
            (known,) = accounts.list_keys()
            accounts.revoke_key(known.id)
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_json()
    accounts.close()

    assert closed.value.code == 1008


def test_the_latest_event_tells_when_the_job_will_be_over(client: TestClient, ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.expect(lease, Stage.VALIDATION, "", 1)

    heard, _ = hear(client, path(lease.job_id, "progress"), lambda: work(ledger, lease))

    assert heard[0]["job"]["estimated_completion"] is None
    assert any("estimated_completion" in message for message in heard[1:])


def test_over_a_real_server_a_client_resumes_where_it_was_cut_off(settings: Settings, ledger: Ledger) -> None:
    lease = claimed(ledger)
    before = ledger.job(lease.job_id).seq

    async def story(host: str) -> Messages:
        address = f"ws://{host}{path(lease.job_id, 'progress')}"
        heard: Messages = []
        async with connect(address, compression=None) as socket:
            heard.append(json.loads(await socket.recv()))
            await asyncio.to_thread(ledger.expect, lease, Stage.TRANSCRIPTION, "", 3)
            heard.append(json.loads(await socket.recv()))
            assert not socket.protocol.extensions
        await asyncio.to_thread(work, ledger, lease)
        async with connect(f"{address}?after={heard[-1]['seq']}") as socket:
            assert not socket.protocol.extensions  # messages are small and many: not worth a compressor for each client
            async for message in socket:  # ends without an error where the connection was closed with 1000
                heard.append(json.loads(message))
            assert socket.close_code == 1000
        return heard

    with served(settings) as host:
        heard = asyncio.run(asyncio.wait_for(story(host), PATIENCE_SECONDS))

    assert [message["seq"] for message in heard] == list(range(before, ledger.job(lease.job_id).seq + 1))


def test_a_silent_event_stream_beats(settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "BEAT_SECONDS", 0.05)
    job = ledger.submit(request())
    text = ""
    with served(settings) as host, httpx.stream("GET", f"http://{host}{path(job.id, 'events')}", timeout=60) as answer:
        for piece in answer.iter_text():
            text += piece
            if text.count("\n:") == 3:
                ledger.cancel(job.id)

    assert text.startswith("retry: ")
    assert [message["type"] for message in of_stream(text)] == ["snapshot", "event", "event"] or len(
        of_stream(text)
    ) > 1
    assert of_stream(text)[-1]["data"]["status"] == "cancelled"


def test_two_hundred_watchers_hear_everything(settings: Settings, ledger: Ledger) -> None:
    lease = claimed(ledger)
    before = ledger.job(lease.job_id).seq

    async def hear_all(host: str, ready: asyncio.Semaphore) -> list[int]:
        async with connect(f"ws://{host}{path(lease.job_id, 'progress')}", open_timeout=None) as socket:
            heard = [json.loads(await socket.recv())["seq"]]
            ready.release()
            async for message in socket:
                heard.append(json.loads(message)["seq"])  # noqa: PERF401 - as they come
            return heard

    async def story(host: str) -> list[list[int]]:
        ready = asyncio.Semaphore(0)
        hearing = [asyncio.create_task(hear_all(host, ready)) for _ in range(200)]
        for _ in hearing:
            await ready.acquire()
        await asyncio.to_thread(work, ledger, lease)
        return await asyncio.gather(*hearing)

    with served(settings) as host:
        stories = asyncio.run(asyncio.wait_for(story(host), 2 * PATIENCE_SECONDS))

    assert stories == [list(range(before, ledger.job(lease.job_id).seq + 1))] * 200
