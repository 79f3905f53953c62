from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from cluster.accounts.secrets import new_key
from cluster.settings import Settings
from tests.fixtures.doors import doors, service_settings
from tests.fixtures.doors import new_key as key_of

SESSION = "/api/v1/session"
LIMITS = "/api/v1/limits"
CANCEL = f"/api/v1/jobs/{'0' * 32}/cancel"
OWN_PAGE = {"Origin": "http://127.0.0.1:8000"}


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    return service_settings(
        tmp_path, sqlite_url, failed_logins_per_minute=3, allowed_origins=("https://app.example.org",)
    )


@pytest.fixture
def key(settings: Settings) -> str:
    return key_of(settings, "acme")


@pytest.fixture
def client(settings: Settings, key: str) -> Iterator[TestClient]:
    with doors(settings) as client:
        yield client


def test_a_browser_logs_in_once_and_shows_a_cookie_from_then_on(client: TestClient, key: str) -> None:
    assert client.get(SESSION).status_code == 401

    answer = client.post(SESSION, json={"key": key}, headers=OWN_PAGE)

    assert answer.json()["tenant"] == "acme"
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("dubflow_session=", "httponly", "samesite=strict", "path=/", "max-age="))
    assert "secure" not in cookie
    assert key not in answer.headers["set-cookie"]
    assert key not in answer.text
    assert client.get(SESSION).json()["tenant"] == "acme"
    assert client.post(CANCEL, headers=OWN_PAGE).status_code == 404


@pytest.mark.parametrize("how", ["direct", "behind a proxy"])
def test_over_tls_the_cookie_is_never_sent_without(client: TestClient, key: str, how: str) -> None:
    if how == "direct":
        client.base_url = "https://127.0.0.1:8000"  # type: ignore[assignment]
    headers = {"X-Forwarded-Proto": "https"} if how != "direct" else {}

    assert "; secure" in client.post(SESSION, json={"key": key}, headers=headers).headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:8001"}],
    ids=lambda headers: headers.get("Origin", "none"),
)
def test_only_own_pages_change_anything_with_a_cookie(client: TestClient, key: str, headers: dict[str, str]) -> None:
    client.post(SESSION, json={"key": key})

    answer = client.post(CANCEL, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "unauthorized")
    assert client.get(LIMITS, headers=headers).status_code == 200  # nobody else's page can read the answer


def test_pages_of_allowed_origins_may_too(client: TestClient, key: str) -> None:
    client.post(SESSION, json={"key": key})

    assert client.post(CANCEL, headers={"Origin": "https://app.example.org"}).status_code == 404


def test_a_key_in_a_header_needs_no_origin_and_goes_before_the_cookie(
    client: TestClient, settings: Settings, key: str
) -> None:
    client.post(SESSION, json={"key": key})
    other = key_of(settings, "zeta")

    assert client.get(SESSION, headers={"X-API-Key": other}).json()["tenant"] == "zeta"
    assert client.post(CANCEL, headers={"X-API-Key": other}).status_code == 404


def test_logging_out_ends_the_session_and_not_only_the_cookie(client: TestClient, key: str) -> None:
    client.post(SESSION, json={"key": key})
    token = client.cookies["dubflow_session"]

    answer = client.delete(SESSION, headers=OWN_PAGE)

    assert answer.status_code == 204
    assert "dubflow_session" not in client.cookies
    assert client.get(SESSION, headers={"Cookie": f"dubflow_session={token}"}).status_code == 401
    assert client.delete(SESSION).status_code == 204


def test_others_pages_log_nobody_in_or_out(client: TestClient, key: str) -> None:
    evil = {"Origin": "https://evil.example"}

    assert client.post(SESSION, json={"key": key}, headers=evil).status_code == 403
    client.post(SESSION, json={"key": key})
    assert client.delete(SESSION, headers=evil).status_code == 403
    assert client.get(SESSION).status_code == 200


def test_wrong_keys_open_no_session_and_have_to_wait(client: TestClient, key: str) -> None:
    answers = [client.post(SESSION, json={"key": new_key()}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert all("set-cookie" not in answer.headers for answer in answers)
    assert client.post(SESSION, json={"key": key}).status_code == 200


def test_a_forged_cookie_is_nobody(client: TestClient) -> None:
    answer = client.get(SESSION, headers={"Cookie": "dubflow_session=" + "0" * 64})

    assert answer.status_code == 401


def test_what_is_no_log_in_is_refused_without_repeating_it(client: TestClient, key: str) -> None:
    for body in ({"key": key * 3}, {"key": [key]}, {}):
        answer = client.post(SESSION, json=body)
        assert answer.status_code == 422
        assert key not in answer.text
