from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from cluster.accounts.accounts import Accounts
from cluster.accounts.records import Limits, Scope
from cluster.ledger.ledger import Ledger
from cluster.settings import Settings
from tests.fixtures.doors import doors, new_key, service_settings

SECRET = "/api/v1/webhook-secret"
SAMPLE = Path(__file__).parents[3] / "samples" / "jfk.mp4"


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    return service_settings(tmp_path, sqlite_url)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with doors(settings) as client:
        yield client


def test_each_tenant_sees_its_own_secret_and_the_newest(settings: Settings, client: TestClient) -> None:
    ours, theirs = ({"X-API-Key": new_key(settings, tenant)} for tenant in ("ours", "theirs"))
    first = client.get(SECRET, headers=ours)
    assert first.headers["cache-control"] == "no-store"
    assert first.json() == client.get(SECRET, headers=ours).json()
    assert first.json() != client.get(SECRET, headers=theirs).json()
    ledger = Ledger(settings.database)
    rotated = ledger.rotate_webhook_secret("ours")
    ledger.close()
    assert client.get(SECRET, headers=ours).json() == {"secret": rotated}


def test_whoever_makes_no_jobs_needs_no_secret(settings: Settings, client: TestClient) -> None:
    accounts = Accounts(settings.database, Limits.of(settings))
    _, reader = accounts.create_key("ours", "looks on", (Scope.READ,))
    accounts.close()
    assert client.get(SECRET, headers={"X-API-Key": reader}).status_code == 403
    assert client.get(SECRET).status_code == 401


@pytest.mark.parametrize("url", ["http://hooks.example/", "https://169.254.169.254/", "https://localhost/"])
def test_a_job_with_a_webhook_inside_the_network_is_refused(client: TestClient, url: str) -> None:
    answer = client.post(
        "/api/v1/upload",
        files={"file": ("talk.mp4", SAMPLE.read_bytes())},
        data={"target_language": "es", "options": f'{{"webhook_url": "{url}"}}'},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert client.get("/api/v1/jobs").json()["items"] == []
