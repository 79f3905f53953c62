from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from cluster.accounts.accounts import Accounts
from cluster.accounts.records import Limits, Scope
from cluster.accounts.secrets import new_key
from cluster.settings import Settings
from tests.fixtures.doors import doors, service_settings

LIMITS = "/api/v1/limits"
UNKNOWN_JOB = f"/api/v1/jobs/{'0' * 32}"


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    return service_settings(tmp_path, sqlite_url, failed_logins_per_minute=3)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with doors(settings) as client:
        yield client


@pytest.fixture
def accounts(settings: Settings) -> Iterator[Accounts]:
    opened = Accounts(settings.database, Limits())
    yield opened
    opened.close()


@pytest.fixture
def key(accounts: Accounts) -> str:
    return accounts.create_key("acme", "laptop")[1]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def require_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code


def test_while_no_key_exists_this_machine_may_call(client: TestClient) -> None:
    assert client.get(LIMITS).status_code == 200
    assert client.get("/api/v1/session").json() == {
        "tenant": "default",
        "name": "",
        "scopes": ["jobs:read", "jobs:write"],
        "key_needed": False,
    }


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "10.0.0.1:8000", ""])
def test_a_name_that_was_made_to_mean_this_machine_does_not_help(client: TestClient, host: str) -> None:
    require_problem(client.get(LIMITS, headers={"Host": host}), 401, "unauthorized")


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
def test_all_names_of_this_machine_do(client: TestClient, host: str) -> None:
    assert client.get(LIMITS, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_of_others_may_not_use_the_open_service(client: TestClient, headers: dict[str, str], method: str) -> None:
    url = LIMITS if method == "GET" else f"{UNKNOWN_JOB}/cancel"
    require_problem(client.request(method, url, headers=headers), 403, "unauthorized")


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://127.0.0.1:8000"}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}]
)
def test_its_own_page_may(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post(f"{UNKNOWN_JOB}/cancel", headers=headers).status_code == 404


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP"])
def test_what_a_proxy_passes_on_is_not_from_this_machine(client: TestClient, header: str) -> None:
    require_problem(client.get(LIMITS, headers={header: "127.0.0.1"}), 401, "unauthorized")


def test_another_machine_needs_a_key(client: TestClient) -> None:
    client._transport.client = ("192.0.2.7", 50_000)

    require_problem(client.get(LIMITS), 401, "unauthorized")


def test_with_the_first_key_everybody_needs_one(client: TestClient, key: str) -> None:
    answer = client.get(LIMITS)

    require_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert client.get(LIMITS, headers=bearer(key)).status_code == 200
    assert client.get("/livez").status_code == 200


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER  {} "])
def test_a_key_is_shown_as_bearer(client: TestClient, key: str, form: str) -> None:
    answer = client.get("/api/v1/session", headers={"Authorization": form.format(key)})

    assert answer.json() == {
        "tenant": "acme",
        "name": "laptop",
        "scopes": ["jobs:read", "jobs:write"],
        "key_needed": True,
    }


def test_a_key_is_shown_in_its_own_header(client: TestClient, key: str) -> None:
    assert client.get(LIMITS, headers={"X-API-Key": key}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic {}"},
        {"Authorization": "{}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer {}x"},
        {"Authorization": "Basic x", "X-API-Key": "{}"},
        {"X-API-Key": ""},
        {"Cookie": "dubflow_session={}"},
        {"X-Api-Key-2": "{}"},
    ],
)
def test_a_key_is_shown_in_no_other_way(client: TestClient, key: str, headers: dict[str, str]) -> None:
    shown = {name: form.format(key) for name, form in headers.items()}

    require_problem(client.get(LIMITS, headers=shown), 401, "unauthorized")
    assert client.get(f"{LIMITS}?api_key={key}").status_code == 401


def test_a_key_may_do_what_its_scopes_say(client: TestClient, accounts: Accounts) -> None:
    reads, writes = (bearer(accounts.create_key("acme", scopes=[scope])[1]) for scope in Scope)

    assert client.get(LIMITS, headers=reads).status_code == 200
    refused = client.post(f"{UNKNOWN_JOB}/cancel", headers=reads)
    require_problem(refused, 403, "unauthorized")
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    assert client.post(f"{UNKNOWN_JOB}/cancel", headers=writes).status_code == 404
    require_problem(client.get(LIMITS, headers=writes), 403, "unauthorized")


def test_requests_are_counted_for_each_key_over_all_replicas(
    settings: Settings, accounts: Accounts, client: TestClient
) -> None:
    accounts.set_tenant("acme", limits={"requests_per_minute": 6})
    one, other = (bearer(accounts.create_key("acme")[1]) for _ in range(2))

    with doors(settings) as replica:
        answers = [who.get(LIMITS, headers=one) for _ in range(4) for who in (client, replica)]
        assert replica.get(LIMITS, headers=other).status_code == 200

    assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 2
    assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == [
        *(f"r={left}" for left in (5, 4, 3, 2, 1, 0, 0, 0))
    ]
    assert answers[0].headers["ratelimit-policy"] == '"requests";q=6;w=60'
    require_problem(answers[-1], 429, "rate_limited")
    assert answers[-1].json()["retryable"] is True
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 10


def test_who_guesses_has_to_wait_and_who_knows_does_not(client: TestClient, key: str) -> None:
    guesses = [client.get(LIMITS, headers=bearer(new_key())) for _ in range(5)]

    assert [answer.status_code for answer in guesses] == [401] * 3 + [429] * 2
    assert int(guesses[-1].headers["retry-after"]) > 0
    assert client.get(LIMITS, headers=bearer(key)).status_code == 200


def test_a_request_counts_once_whoever_asks_for_its_caller(accounts: Accounts, client: TestClient) -> None:
    accounts.set_tenant("acme", limits={"requests_per_minute": 100})
    key = accounts.create_key("acme")[1]

    answer = client.post(f"{UNKNOWN_JOB}/cancel", headers={**bearer(key), "Idempotency-Key": "one"})

    assert answer.status_code == 404
    assert '"requests";r=99;' in answer.headers["ratelimit"]
