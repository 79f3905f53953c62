import asyncio
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from cluster.blobs.store import open_blobs
from cluster.consent import CONSENT
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import SupportedLanguage
from cluster.settings import Settings
from serve_apps import multipart
from serve_apps.application import create_app
from serve_apps.authentication import SCOPES, Caller
from serve_apps.routers.upload import accept
from serve_apps.services import open_services
from tests.fixtures.doors import doors, new_key, service_settings
from tests.fixtures.object_store import ObjectStore

SAMPLE = Path(__file__).parent.parent.parent.parent / "samples" / "jfk.mp4"
URL = "/api/v1/upload"


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    return service_settings(tmp_path, sqlite_url)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with doors(settings) as client:
        yield client


def send(client: TestClient, name: str = "Kennedy.mp4", content: bytes | None = None, **fields: Any) -> httpx.Response:
    data = {"target_language": "es", "source_language": "en", **fields}
    content = SAMPLE.read_bytes() if content is None else content
    return client.post(URL, files={"file": (name, content, "video/mp4")}, data=data)


def leftovers(settings: Settings) -> list[str]:
    scratch = [str(path) for path in settings.scratch_folder.rglob("*") if path.is_file() and path.name != ".owner"]
    return [*open_blobs(settings.blobs).keys(), *scratch]


@pytest.mark.parametrize("store", ["local", "s3"])
def test_a_file_becomes_a_job_on_either_database(
    tmp_path: Path, database_url: str, object_store: ObjectStore, store: str
) -> None:
    where = (
        {"blob_url": f"s3://{object_store.bucket()}/x", "s3_endpoint_url": object_store.url} if store == "s3" else {}
    )
    settings = service_settings(tmp_path, database_url, **where)
    with doors(settings) as client:
        answer = send(client, target_language=["es", "fr, pt-br"], user_id="anna")
        body = answer.json()
        listed = client.get("/api/v1/jobs").json()["items"]

    assert answer.status_code == 202
    assert body["status"] == "uploaded"
    assert answer.headers["location"] == body["status_url"] == f"/api/v1/jobs/{body['job_id']}/status"
    assert body["progress_url"] == f"/api/v1/jobs/{body['job_id']}/progress"
    assert "Kennedy.mp4" in body["message"]
    assert "French" in body["message"]
    assert [job["job_id"] for job in listed] == [body["job_id"]]
    assert (listed[0]["name"], listed[0]["user_id"]) == ("Kennedy.mp4", "anna")
    ledger = Ledger(settings.database)
    request = ledger.job(body["job_id"]).request
    ledger.close()
    blobs = open_blobs(settings.blobs, settings.s3_endpoint_url)
    (key,) = blobs.keys("uploads")
    assert blobs.get_bytes(key) == SAMPLE.read_bytes()
    assert request.source_uri == blobs.uri(key)
    assert request.destination.startswith(blobs.uri("results/default"))
    assert (request.stem, request.source_language, request.target_languages) == ("dub", "en", ("es", "fr", "pt-BR"))


def test_options_reach_the_job(client: TestClient, settings: Settings) -> None:
    options = {
        "min_speakers": 1,
        "max_speakers": 2,
        "keep_background": True,
        "clone_voices": True,
        "glossary": {"flow": "flujo"},
        "start": 1.5,
        "end": 9,
        "series": " Life  on  Mars ",
        "profile": "gpu",
        "review": True,
        "webhook_url": "https://example.org/hook",
    }
    job_id = send(client, options=json.dumps(options)).json()["job_id"]
    ledger = Ledger(settings.database)
    request = ledger.job(job_id).request
    ledger.close()
    assert request.options == {
        "min_speakers": 1,
        "max_speakers": 2,
        "keep_background": True,
        "clone_voices": True,
        "glossary": [["flow", "flujo"]],
        "start": 1.5,
        "end": 9.0,
        "series": "Life on Mars",
    }
    assert request.consent == CONSENT
    assert request.review
    assert request.webhook_url == "https://example.org/hook"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.mp4", b""),
        ("a.mp4", b"#EXTM3U\n#EXTINF:3,\nother.mp4\n"),
        ("a.mp4", b"ffconcat version 1.0\nfile secret.wav\n"),
        ("a.exe", None),
        ("mp4", None),
    ],
)
def test_what_is_no_media_is_refused_and_leaves_nothing(
    client: TestClient, settings: Settings, name: str, content: bytes | None
) -> None:
    answer = send(client, name, content)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media")
    assert leftovers(settings) == []


@pytest.mark.parametrize("announced", [True, False])
def test_a_file_over_the_limit_is_refused(tmp_path: Path, sqlite_url: str, announced: bool) -> None:
    settings = service_settings(tmp_path, sqlite_url, max_upload_bytes=100_000)
    with doors(settings) as client:
        if announced:
            answer = send(client)
        else:
            request = client.build_request("POST", URL, files={"file": ("a.mp4", SAMPLE.read_bytes())})
            body = request.read()
            answer = client.post(URL, content=iter([body]), headers={"content-type": request.headers["content-type"]})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert leftovers(settings) == []
        assert send(client, content=SAMPLE.read_bytes()[:100_000]).status_code == 202


def test_an_announced_size_is_refused_before_the_body_is_read(client: TestClient) -> None:
    def body() -> Iterator[bytes]:
        pytest.fail("the body was read")
        yield b""

    headers = {"content-length": str(10**12), "content-type": "multipart/form-data; boundary=x"}
    answer = client.post(URL, content=body(), headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"target_language": []}, "target_language"),
        ({"target_lang": "es"}, "target_lang"),
        ({"options": "{"}, "body.options"),
        ({"options": '{"speakers": 2}'}, "body.options.speakers"),
        ({"options": '{"start": NaN}'}, "body.options"),
        ({"options": '{"min_speakers": 3, "max_speakers": 2}'}, "body.options"),
        ({"options": '{"webhook_url": "file:///etc/passwd"}'}, "body.options.webhook_url"),
        ({"user_id": "x" * 201}, "body.user_id"),
    ],
)
def test_wrong_fields_are_named(client: TestClient, settings: Settings, fields: dict[str, Any], field: str) -> None:
    answer = send(client, **fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert field in answer.json()["errors"][0]["field"]
    assert leftovers(settings) == []


def test_languages_are_held_against_what_the_flow_offers(client: TestClient, settings: Settings) -> None:
    assert send(client, target_language="ja").status_code == 202, "nobody knows yet what the flow can do"
    ledger = Ledger(settings.database)
    ledger.replace_languages(
        [
            SupportedLanguage("en", "English", "English", target=False),
            SupportedLanguage("es", "Spanish", "español"),
            SupportedLanguage("fr", "French", "français", source=False),
        ]
    )
    ledger.close()

    def refused(**fields: Any) -> str:
        answer = send(client, **fields)
        assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_language")
        return str(answer.json()["errors"][0])

    assert send(client, target_language="Spanish,fr").status_code == 202
    assert send(client, target_language="es-MX", source_language="auto").status_code == 202
    assert "did you mean es?" in refused(target_language="gl")
    assert "did you mean es?" in refused(target_language="Spansh")
    assert "target_languages" in refused(target_language="en")
    assert "source_language" in refused(source_language="fr")
    assert "speaks es already" in refused(source_language="es", target_language="es-MX")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("C:\\films\\a b.mp4", "a b.mp4"),
        ("../../etc/x.mp4", "x.mp4"),
        ("фильм.mp4", "фильм.mp4"),
        ("a\tb.mp4", "ab.mp4"),
    ],
)
def test_names_lose_their_folders_and_what_cannot_be_shown(client: TestClient, sent: str, shown: str) -> None:
    body = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{sent}"\r\n\r\n'.encode()
    body += (
        SAMPLE.read_bytes()
        + b'\r\n--x\r\nContent-Disposition: form-data; name="target_language"\r\n\r\nes\r\n--x--\r\n'
    )
    answer = client.post(URL, content=body, headers={"content-type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 202
    assert answer.json()["message"].startswith(f"{shown} ")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b"no form at all"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\nabc',
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="other"; filename="a.mp4"\r\n\r\nabc\r\n--x--',
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="target_language"\r\n\r\nes\r\n--x--',
        ),
        ("multipart/form-data; boundary=x", b"--x\r\nX-Long: " + b"a" * 100_000),
        ("multipart/form-data; boundary=" + "x" * 5000, b""),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nes\r\n--x--"),
    ],
)
def test_bodies_that_are_no_such_form_are_refused(
    client: TestClient, settings: Settings, content_type: str, body: bytes
) -> None:
    answer = client.post(URL, content=body, headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert leftovers(settings) == []


def test_two_files_and_endless_fields_are_refused(client: TestClient) -> None:
    file = ("a.mp4", SAMPLE.read_bytes())
    twice = client.post(URL, files=[("file", file), ("file", file)], data={"target_language": "es"})
    assert (twice.status_code, twice.json()["code"]) == (422, "invalid_request")
    assert send(client, user_id="x" * 300_000).status_code == 413
    assert send(client, target_language=["es"] * 1000).status_code == 422


def test_the_same_request_again_is_the_same_job(client: TestClient, settings: Settings) -> None:
    answers = [
        client.post(
            URL,
            files={"file": ("a.mp4", SAMPLE.read_bytes())},
            data={"target_language": "es"},
            headers={"Idempotency-Key": "one"},
        )
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["job_id"] == answers[1].json()["job_id"]
    assert len(leftovers(settings)) == 1


def test_a_quota_that_is_used_up_leaves_no_file(tmp_path: Path, sqlite_url: str) -> None:
    settings = service_settings(tmp_path, sqlite_url, concurrent_jobs=1)
    key = new_key(settings, "acme")
    with doors(settings) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        assert send(client).status_code == 202
        answer = send(client, "b.mp4")
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert int(answer.headers["retry-after"]) > 0
        assert len(leftovers(settings)) == 1


def test_a_full_disk_is_told_and_leaves_nothing(
    client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(multipart, "_flush", full)
    answer = send(client)
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (507, "disk_full", True)
    assert str(settings.home) not in answer.text
    assert leftovers(settings) == []


def test_a_store_that_is_full_costs_the_request_alone(
    client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    client.headers["Idempotency-Key"] = "the-same"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        refused = send(client)
    assert (refused.status_code, refused.json()["code"], refused.json()["retryable"]) == (507, "disk_full", True)
    assert client.get("/api/v1/jobs").json()["items"] == []
    assert leftovers(settings) == []

    accepted = send(client)
    assert accepted.status_code == 202
    assert [job["job_id"] for job in client.get("/api/v1/jobs").json()["items"]] == [accepted.json()["job_id"]]
    assert len(leftovers(settings)) == 1


def test_a_sender_who_goes_away_leaves_nothing(settings: Settings) -> None:
    app = create_app(settings)
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    messages: list[Any] = [
        {"type": "http.request", "body": head, "more_body": True},
        {"type": "http.request", "body": SAMPLE.read_bytes(), "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def remember(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": URL,
        "raw_path": URL.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"multipart/form-data; boundary=x")],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        "scheme": "http",
        "http_version": "1.1",
        "state": {},
    }

    async def run() -> None:
        async with app.router.lifespan_context(app):
            await app(scope, receive, remember)

    asyncio.run(run())
    assert messages == []
    assert sent == []
    assert leftovers(settings) == []


def test_a_request_that_was_cut_off_behind_its_job_finds_it_again(settings: Settings, tmp_path: Path) -> None:
    """What is done again after a crash between the commit and the answer: the same upload under the same id."""
    caller = Caller("default", None, SCOPES)
    jobs = set()
    with open_services(settings) as services:
        for _ in range(2):
            copy = tmp_path / "arrived"
            copy.write_bytes(SAMPLE.read_bytes())
            form = multipart.Form({"target_language": ["es"]}, copy, "a.mp4", copy.stat().st_size)
            jobs.add(accept(services, caller, "f" * 32, form).id)
    assert len(jobs) == 1
    assert len(leftovers(settings)) == 1
