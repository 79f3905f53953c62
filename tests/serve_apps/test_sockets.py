"""Who may open a WebSocket: the same for all that ask for `SocketCallerDep`, here one that says who came."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from cluster.accounts.accounts import Accounts
from cluster.accounts.records import Limits, Scope
from cluster.ledger.ledger import Ledger
from cluster.settings import Settings
from serve_apps.authentication import SocketCallerDep, still_allowed
from tests.fixtures.accounts import let_time_pass
from tests.fixtures.doors import doors, service_settings
from tests.fixtures.ledgers import request

REFUSED = 1008
WHO = "ws://127.0.0.1:8000/who"


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    return service_settings(tmp_path, sqlite_url)


@pytest.fixture
def accounts(settings: Settings) -> Iterator[Accounts]:
    opened = Accounts(settings.database, Limits())
    yield opened
    opened.close()


@pytest.fixture
def job(settings: Settings) -> str:
    ledger = Ledger(settings.database)
    job_id = ledger.submit(request(tenant="acme")).id
    ledger.close()
    return job_id


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    async def who(websocket: WebSocket, caller: SocketCallerDep) -> None:
        await websocket.accept()
        await websocket.send_json([caller.tenant, await still_allowed(websocket, caller)])
        await websocket.close()

    with doors(settings) as client:
        assert isinstance(client.app, FastAPI)
        client.app.add_api_websocket_route("/who/{job_id}", who)
        yield client


def opened(client: TestClient, job: str, query: str = "", **headers: str) -> object:
    with client.websocket_connect(f"{WHO}/{job}{query}", headers=headers) as socket:
        return socket.receive_json()


def refusal(client: TestClient, job: str, query: str = "", **headers: str) -> int:
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect(f"{WHO}/{job}{query}", headers=headers),
    ):
        pytest.fail("it was accepted")
    return refused.value.code


def ticket_for(client: TestClient, job: str, key: str) -> str:
    answer = client.post(f"/api/v1/jobs/{job}/ticket", headers={"X-API-Key": key})
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == 30
    assert answer.headers["cache-control"] == "no-store"
    ticket: str = answer.json()["ticket"]
    return ticket


def test_a_key_in_a_header_opens_its_tenants_jobs(client: TestClient, accounts: Accounts, job: str) -> None:
    own, foreign = accounts.create_key("acme")[1], accounts.create_key("zeta")[1]

    assert opened(client, job, Authorization=f"Bearer {own}") == ["acme", True]
    assert refusal(client, job, Authorization=f"Bearer {foreign}") == REFUSED
    assert refusal(client, "0" * 32, Authorization=f"Bearer {own}") == REFUSED
    assert refusal(client, "x%00y", Authorization=f"Bearer {own}") == REFUSED
    assert refusal(client, job) == REFUSED
    assert refusal(client, job, f"?ticket={own}") == REFUSED
    assert refusal(client, job, f"?key={own}") == REFUSED


def test_a_ticket_opens_one_socket_for_one_job(client: TestClient, accounts: Accounts, job: str) -> None:
    key = accounts.create_key("acme", scopes=[Scope.READ])[1]
    ticket = ticket_for(client, job, key)

    assert opened(client, job, f"?ticket={ticket}") == ["acme", True]
    assert refusal(client, job, f"?ticket={ticket}") == REFUSED


def test_tickets_that_are_forged_old_or_for_another_job_open_nothing(
    client: TestClient, accounts: Accounts, settings: Settings, job: str
) -> None:
    key = accounts.create_key("acme")[1]
    ledger = Ledger(settings.database)
    other = ledger.submit(request("other", tenant="acme")).id
    ledger.close()
    ticket = ticket_for(client, job, key)

    assert refusal(client, job, f"?ticket={'0' * 64}") == REFUSED
    assert refusal(client, job, "?ticket=") == REFUSED
    assert refusal(client, other, f"?ticket={ticket}") == REFUSED
    let_time_pass(accounts, 31)
    assert refusal(client, job, f"?ticket={ticket}") == REFUSED


def test_a_ticket_ends_with_its_key(client: TestClient, accounts: Accounts, settings: Settings, job: str) -> None:
    key, text = accounts.create_key("acme")
    ticket = ticket_for(client, job, text)
    accounts.revoke_key(key.id)

    with doors(settings) as replica:  # which has not seen the key before
        assert isinstance(replica.app, FastAPI)
        replica.app.router.routes.extend(
            route for route in client.app.router.routes if getattr(route, "path", "") == "/who/{job_id}"
        )
        assert refusal(replica, job, f"?ticket={ticket}") == REFUSED


def test_nobody_gets_a_ticket_for_somebody_elses_job(client: TestClient, accounts: Accounts, job: str) -> None:
    foreign = {"X-API-Key": accounts.create_key("zeta")[1]}

    answers = [client.post(f"/api/v1/jobs/{job_id}/ticket", headers=foreign) for job_id in (job, "0" * 32)]

    assert [answer.status_code for answer in answers] == [404, 404]


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_a_page_of_others_opens_nothing_whatever_it_shows(
    client: TestClient, accounts: Accounts, job: str, origin: str
) -> None:
    key = accounts.create_key("acme")[1]

    assert refusal(client, job, f"?ticket={ticket_for(client, job, key)}", Origin=origin) == REFUSED
    assert refusal(client, job, Authorization=f"Bearer {key}", Origin=origin) == REFUSED


def test_a_cookie_opens_a_socket_for_own_pages_only(client: TestClient, accounts: Accounts, job: str) -> None:
    key = accounts.create_key("acme")[1]
    client.post("/api/v1/session", json={"key": key})

    assert opened(client, job, Origin="http://127.0.0.1:8000") == ["acme", True]
    assert refusal(client, job) == REFUSED
    assert refusal(client, job, Origin="https://evil.example") == REFUSED


def test_a_key_that_may_not_read_opens_nothing(client: TestClient, accounts: Accounts, job: str) -> None:
    key = accounts.create_key("acme", scopes=[Scope.WRITE])[1]

    assert refusal(client, job, Authorization=f"Bearer {key}") == REFUSED


def test_without_any_key_this_machine_opens_the_default_tenants_jobs(client: TestClient, settings: Settings) -> None:
    ledger = Ledger(settings.database)
    job = ledger.submit(request()).id
    ledger.close()
    ticket = client.post(f"/api/v1/jobs/{job}/ticket").json()["ticket"]

    assert opened(client, job) == ["default", True]
    assert opened(client, job, f"?ticket={ticket}") == ["default", True]
    assert refusal(client, job, Host="evil.example") == REFUSED
    assert refusal(client, job, Origin="https://evil.example") == REFUSED


def test_more_sockets_than_requests_are_allowed_are_told_to_wait(
    client: TestClient, accounts: Accounts, job: str
) -> None:
    accounts.set_tenant("acme", limits={"requests_per_minute": 2})
    key = accounts.create_key("acme")[1]
    for _ in range(2):
        opened(client, job, Authorization=f"Bearer {key}")

    assert refusal(client, job, Authorization=f"Bearer {key}") == 1013


def test_a_long_connection_learns_that_its_key_was_revoked(
    client: TestClient, accounts: Accounts, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, text = accounts.create_key("acme")
    monkeypatch.setattr("cluster.accounts.identities.REMEMBERED_SECONDS", 0.0)

    async def revoked(websocket: WebSocket, caller: SocketCallerDep) -> None:
        await websocket.accept()
        accounts.revoke_key(key.id)
        await websocket.send_json(await still_allowed(websocket, caller))
        await websocket.close()

    assert isinstance(client.app, FastAPI)
    client.app.add_api_websocket_route("/revoked/{job_id}", revoked)

    with client.websocket_connect(f"/revoked/{job}", headers={"X-API-Key": text}) as socket:
        assert socket.receive_json() is False
