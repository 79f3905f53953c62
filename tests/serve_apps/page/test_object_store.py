"""With an object store the browser sends and fetches films past the service, under the page's policy."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.fixtures.doors import service_settings
from tests.fixtures.object_store import ObjectStore
from tests.fixtures.sites import LANGUAGES, Dub, Line, Site
from tests.serve_apps.page.conftest import Visits, until

LINES = (Line(0.5, 2.0, "Hello.", "Hola."), Line(2.5, 5.0, "How are you?", "¿Cómo está?", "S2"))


@pytest.fixture
def bucket(s3_server: ObjectStore) -> str:
    name = s3_server.bucket()
    rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"]}
    s3_server.client().put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [rule]})
    return name


@pytest.fixture
def site(tmp_path: Path, sqlite_url: str, s3_server: ObjectStore, bucket: str) -> Iterator[Site]:
    settings = {"blob_url": f"s3://{bucket}/service", "s3_endpoint_url": s3_server.url}
    made = Site(service_settings(tmp_path, sqlite_url, **settings))
    made.ledger.replace_languages(LANGUAGES)
    made.start()
    yield made
    made.close()


def test_parts_go_to_the_store(site: Site, visit: Visits, s3_server: ObjectStore, large_film: Path) -> None:
    page = visit(site.url)
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.url) if asked.method == "PUT" else None)
    page.set_input_files("section.drop input[type=file]", str(large_film))
    page.get_by_role("combobox", name="Dub into").fill("Spanish")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Start dubbing").click()
    expect(page.locator(".row").filter(has_text="Waiting")).to_have_count(1)
    assert len(sent) == 2
    assert all(url.startswith(s3_server.url) for url in sent)
    (job,) = site.ledger.jobs().jobs
    key = job.request.source_uri.removeprefix("s3://").partition("/")[2]
    stored = s3_server.client().get_object(Bucket=job.request.source_uri.split("/")[2], Key=key)["Body"].read()
    assert hashlib.sha256(stored).digest() == hashlib.sha256(large_film.read_bytes()).digest()


def test_films_come_from_the_store(site: Site, visit: Visits, film: Path, dubbed_film: Path) -> None:
    done = Dub(site, film).completed(LINES, dubbed_film)
    page = visit(f"{site.url}/jobs/{done.id}")
    until(page.locator("video"), "one.readyState >= 2")
    until(page.locator("audio"), "one.readyState >= 2")
    page.get_by_role("button", name="Captions").click()
    until(page.locator("video"), "one.textTracks[0].cues?.length === 2")
