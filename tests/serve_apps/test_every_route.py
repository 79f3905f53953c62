"""Nobody comes to a route without a good key of the right scope, and to nobody else's things with any.

The routes are those that the application has: whoever adds one has it tested here, and may have to say in `VALID` what
a request looks like that is refused for nothing but its id.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from cluster.accounts.accounts import Accounts
from cluster.accounts.records import Limits, Scope
from cluster.accounts.secrets import new_key
from cluster.ledger.ledger import Ledger
from cluster.settings import Settings
from serve_apps.application import create_app
from serve_apps.views import API
from tests.fixtures.accounts import let_time_pass
from tests.fixtures.doors import doors, service_settings
from tests.fixtures.ledgers import request
from tests.fixtures.library import episode, meet

VALID: dict[str, dict[str, Any]] = {
    "PATCH /voices/{voice_id}": {"json": {"name": "Ann"}},
    "PATCH /uploads/{upload_id}": {"headers": {"Upload-Offset": "0"}, "content": b"x"},
    "PUT /uploads/{upload_id}/parts/{number}": {"content": b"x"},
}
"""By method and path: what a valid request has besides its path."""

OPEN = frozenset({f"{API}/session", f"{API}/files/{{token}}"})
"""Where callers come who have no key yet, and what shows a link's own signature; they have tests of their own."""

UNKNOWN = "0" * 32
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Service:
    """A service with two tenants.

    Attributes:
        keys: Of `acme`, by what is the matter with them.
        foreign: A good key of another tenant.
        things: What belongs to `acme`, by the name of its path parameter.
    """

    client: TestClient
    keys: dict[str, str]
    foreign: str
    things: dict[str, str]


def api_routes() -> list[tuple[str, str]]:
    """Method and path of every route that wants a caller."""
    routes = create_app(Settings(_env_file=None)).routes  # type: ignore[call-arg]
    http = [route for route in routes if isinstance(route, APIRoute)]
    found = {(method, route.path) for route in http for method in route.methods if route.path.startswith(API)}
    return sorted((method, path) for method, path in found if path not in OPEN)


def about_things() -> list[tuple[str, str]]:
    return [(method, path) for method, path in api_routes() if re.search(r"{\w+_id}", path)]


def sockets(app: object) -> list[str]:
    assert isinstance(app, FastAPI)
    return [route.path for route in app.routes if isinstance(route, APIWebSocketRoute)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Any) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    url = f"sqlite:///{folder / 'ledger.sqlite'}"
    (folder / "ledger.sqlite").write_bytes(sqlite_template.read_bytes())
    settings = service_settings(folder, url, failed_logins_per_minute=100_000, requests_per_minute=0)
    accounts = Accounts(url, Limits())
    keys = {
        "expired": accounts.create_key("acme", expires_days=1)[1],
        "forged": new_key(),
        "nonsense": "nonsense",
    }
    let_time_pass(accounts, DAY)
    revoked, keys["revoked"] = accounts.create_key("acme")
    accounts.revoke_key(revoked.id)
    keys |= {scope.value: accounts.create_key("acme", scopes=[scope])[1] for scope in Scope}
    foreign = accounts.create_key("zeta")[1]
    accounts.close()
    with doors(settings) as client:
        yield Service(client, keys, foreign, things_of_acme(url))


def things_of_acme(url: str) -> dict[str, str]:
    ledger = Ledger(url)
    meet(ledger, episode(ledger, "one", tenant="acme"), 1.0)
    (person,) = ledger.voices().voices
    job = ledger.submit(request(tenant="acme"))
    upload = ledger.create_upload("acme", "a.mp4", 3, seconds=DAY, upload_id="1" * 32, key="uploads/acme/1/a.mp4")
    ledger.close()
    return {"job_id": job.id, "upload_id": upload.id, "voice_id": person.id}


def call(service: Service, method: str, path: str, key: str | None, things: dict[str, str]) -> httpx.Response:
    valid = VALID.get(f"{method} {path.removeprefix(API)}", {})
    headers = {**valid.get("headers", {}), **({} if key is None else {"Authorization": f"Bearer {key}"})}
    filled = re.sub(r"{(\w+)(:\w+)?}", lambda name: things.get(name[1], "1"), path)
    return service.client.request(method, filled, **{**valid, "headers": headers})


def unknown(service: Service) -> dict[str, str]:
    return dict.fromkeys(service.things, UNKNOWN)


@pytest.mark.parametrize("matter", ["none", "nonsense", "forged", "expired", "revoked"])
@pytest.mark.parametrize(("method", "path"), api_routes())
def test_a_route_is_closed_without_a_good_key(service: Service, method: str, path: str, matter: str) -> None:
    answer = call(service, method, path, service.keys.get(matter), service.things)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert method == "HEAD" or answer.json()["code"] == "unauthorized"


@pytest.mark.parametrize(("method", "path"), api_routes())
def test_a_route_asks_for_one_of_the_scopes(service: Service, method: str, path: str) -> None:
    answers = [call(service, method, path, service.keys[scope], unknown(service)).status_code for scope in Scope]

    assert sorted(answer == 403 for answer in answers) == [False, True], f"{method} {path} answers {answers}"
    assert 401 not in answers


@pytest.mark.parametrize(("method", "path"), about_things())
def test_what_is_somebody_elses_is_as_unknown_as_what_never_was(service: Service, method: str, path: str) -> None:
    foreign = call(service, method, path, service.foreign, service.things)
    missing = call(service, method, path, service.foreign, unknown(service))

    assert foreign.status_code == missing.status_code == 404, (
        f"{method} {path} answers {missing.status_code} for an unknown id: {missing.text}\n"
        "If the request lacks something, add it to VALID."
    )
    if method != "HEAD":
        assert masked(foreign, service.things) == masked(missing, unknown(service))


def test_nobody_elses_jobs_are_in_a_list(service: Service) -> None:
    own, foreign = (
        service.client.get(f"{API}/jobs", headers={"X-API-Key": key})
        for key in (service.keys[Scope.READ], service.foreign)
    )

    assert own.status_code == foreign.status_code == 200
    assert service.things["job_id"] in own.text
    assert service.things["job_id"] not in foreign.text


def test_a_websocket_is_refused_before_it_is_accepted(service: Service) -> None:
    for path in sockets(service.client.app):
        url = f"ws://127.0.0.1:8000{path.format(job_id=service.things['job_id'])}"
        refused = {**service.keys, "foreign": service.foreign}
        del refused[Scope.READ]
        for headers in ({}, *({"X-API-Key": key} for key in refused.values())):
            with pytest.raises(WebSocketDisconnect) as closed, service.client.websocket_connect(url, headers=headers):
                pytest.fail(f"{path} was accepted with {headers}")
            assert closed.value.code == 1008


def test_outside_of_the_api_there_is_only_to_read(service: Service) -> None:
    assert isinstance(service.client.app, FastAPI)
    for route in service.client.app.routes:
        path = getattr(route, "path", "")
        if not path.startswith(API):
            assert set(getattr(route, "methods", None) or {"GET"}) <= {"GET", "HEAD"}, path


def masked(answer: httpx.Response, things: dict[str, str]) -> dict[str, Any]:
    """A problem without what names the request: its own id, and the id that it asked for."""
    problem: dict[str, Any] = answer.json()
    del problem["request_id"]
    return {name: re.sub("|".join(things.values()), "ID", str(value)) for name, value in problem.items()}
