import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import httpx
import pytest
from fastapi.testclient import TestClient

from cluster import layout
from cluster.errors import ErrorCode
from cluster.ledger.records import Failure, Job
from cluster.sources import describe_source
from serve_apps.files.served import SLICE_BYTES
from serve_apps.services import Services
from tests.fixtures.doors import doors, service_settings
from tests.fixtures.ledgers import request as job_request
from tests.fixtures.media import Picture, Track, tone, write
from tests.fixtures.object_store import ObjectStore

SAMPLE = Path(__file__).parents[3] / "samples" / "jfk.mp4"
NAME = 'Käse "1".mp4'
SRT = b"1\n00:00:00,000 --> 00:00:01,000\nHola\n"


@pytest.fixture(params=["local", "s3"])
def client(request: pytest.FixtureRequest, tmp_path: Path, sqlite_url: str) -> Iterator[TestClient]:
    store = {}
    if request.param == "s3":
        server: ObjectStore = request.getfixturevalue("object_store")
        store = {"blob_url": f"s3://{server.bucket()}/some/prefix", "s3_endpoint_url": server.url}
    with doors(service_settings(tmp_path, sqlite_url, **store)) as client:
        yield client


@pytest.fixture
def local_client(tmp_path: Path, sqlite_url: str) -> Iterator[TestClient]:
    with doors(service_settings(tmp_path, sqlite_url)) as client:
        yield client


def services_of(client: TestClient) -> Services:
    services: Services = client.app.state.services  # type: ignore[attr-defined]
    return services


def submitted(client: TestClient, film: Path = SAMPLE, name: str = NAME, *languages: str) -> Job:
    """A job on an uploaded film."""
    services = services_of(client)
    key = f"{layout.upload('default', '0' * 32)}/source{film.suffix}"
    services.blobs.put_file(key, film)
    source = describe_source(services.blobs.uri(key), s3_endpoint_url=services.settings.s3_endpoint_url)
    request = job_request(
        source_uri=source.uri,
        source_version=source.version,
        destination=services.blobs.uri(layout.results("default", "r1")),
        target_languages=languages or ("es",),
        source_language="en",
    )
    return services.ledger.submit(replace(request, name=name, stem="dub"))


def finished(client: TestClient, film: Path = SAMPLE, name: str = NAME, *languages: str) -> Job:
    """A job that is done in its first language."""
    job, services = submitted(client, film, name, *languages), services_of(client)
    claim = services.ledger.claim("worker")
    assert claim is not None
    folder, language = layout.results("default", "r1"), job.request.target_languages[0]
    kind = "audio" if film.suffix == ".m4a" else "video"
    files = {kind: f"dub.{language}{film.suffix}", "srt": "dub.es.srt", "vtt": "dub.es.vtt", "script": "dub.es.json"}
    services.blobs.put_file(f"{folder}/{files[kind]}", film)
    for text in ("srt", "vtt", "script"):
        services.blobs.put_bytes(f"{folder}/{files[text]}", SRT)
    uris = {name: services.blobs.uri(f"{folder}/{file}") for name, file in files.items()}
    services.ledger.publish(claim.lease, language, uris, {})
    return job


def url(job: Job, what: str) -> str:
    return f"/api/v1/jobs/{job.id}/{what}"


def link(client: TestClient, job: Job, **query: Any) -> dict[str, Any]:
    answer = client.get(url(job, "download"), params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def follow(client: TestClient, address: str) -> httpx.Response:
    """What whoever has only the link gets."""
    return httpx.get(address) if address.startswith("http") else client.get(address)


def film_of(data: bytes) -> tuple[float, list[str], int]:
    """Seconds, kinds of streams, and pictures that can be decoded."""
    with av.open(BytesIO(data)) as film:
        seconds, kinds = (film.duration or 0) / 1e6, [stream.type for stream in film.streams]
        return seconds, kinds, sum(1 for _ in film.decode(video=0)) if film.streams.video else 0


MEDIA_TYPES = {
    "video": ("mp4", "video/mp4"),
    "srt": ("srt", "application/x-subrip; charset=utf-8"),
    "vtt": ("vtt", "text/vtt; charset=utf-8"),
    "script": ("json", "application/json"),
}


def test_a_finished_file_is_linked_under_the_name_of_its_source(client: TestClient) -> None:
    job = finished(client)
    for kind, (extension, media_type) in MEDIA_TYPES.items():
        expected = SAMPLE.read_bytes() if kind == "video" else SRT

        found = link(client, job, language="es", type=kind)
        answer = follow(client, found["download_url"])

        assert found["filename"] == f'Käse "1".es.{extension}'
        assert found["file_size"] == len(expected)
        assert answer.status_code == 200
        assert answer.content == expected
        assert answer.headers["content-type"] == media_type
        assert answer.headers["content-disposition"] == (
            f"attachment; filename=\"K_se _1_.es.{extension}\"; filename*=UTF-8''K%C3%A4se%20%221%22.es.{extension}"
        )


def test_the_source_can_be_had_back(client: TestClient) -> None:
    job = submitted(client)

    found = link(client, job, type="source")

    assert found["filename"] == NAME
    assert follow(client, found["download_url"]).content == SAMPLE.read_bytes()


def test_the_sound_of_a_film_is_made_once(client: TestClient) -> None:
    job = finished(client)

    found = link(client, job, type="audio")
    data = follow(client, found["download_url"]).content

    assert found["filename"] == 'Käse "1".es.m4a'
    seconds, kinds, _ = film_of(data)
    assert kinds == ["audio"]
    assert seconds == pytest.approx(11.0, abs=0.1)
    kept = list(services_of(client).blobs.keys(layout.derived("default", job.id)))
    assert len(kept) == 1
    assert link(client, job, type="audio")["file_size"] == found["file_size"]
    assert list(services_of(client).blobs.keys(layout.derived("default", job.id))) == kept


def test_the_file_itself_comes_with_redirect(client: TestClient) -> None:
    job = finished(client)

    answer = client.get(url(job, "download"), params={"redirect": "1"}, follow_redirects=False)

    if "s3_endpoint_url" in services_of(client).settings.model_fields_set:
        assert answer.status_code == 307
        answer = httpx.get(answer.headers["location"])
    assert answer.status_code == 200
    assert answer.content == SAMPLE.read_bytes()


def test_what_is_not_there_is_told_apart(local_client: TestClient) -> None:
    job = submitted(local_client, SAMPLE, NAME, "es", "fr", "de")
    ledger = services_of(local_client).ledger
    claim = ledger.claim("worker")
    assert claim is not None
    ledger.fail_output(claim.lease, "de", Failure(ErrorCode.ENGINE_FAILED, "no voice for it"))

    for query, status, code in (
        ({"language": "fr"}, 409, "conflict"),
        ({"language": "de"}, 404, "not_found"),
        ({"language": "xx"}, 404, "not_found"),
        ({}, 422, "invalid_request"),
        ({"language": "es", "type": "pdf"}, 422, "invalid_request"),
    ):
        answer = local_client.get(url(job, "download"), params=query)
        assert (answer.status_code, answer.json()["code"]) == (status, code), query


def test_a_result_that_was_removed_is_not_found(client: TestClient) -> None:
    job = finished(client)
    services_of(client).blobs.delete_prefix(layout.results("default", "r1"))

    for what in ("download", "download?redirect=1", "preview", "waveform?language=es"):
        answer = client.get(url(job, what))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), what


def test_files_of_others_are_not_there(local_client: TestClient) -> None:
    other = services_of(local_client).ledger.submit(job_request(tenant="other"))

    for what in ("download?type=source", "preview?language=source", "poster", "waveform"):
        assert local_client.get(url(other, what)).json()["code"] == "not_found"


def test_ranges_are_slices_of_the_file(local_client: TestClient, tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    large.write_bytes(SAMPLE.read_bytes() + bytes(2 * SLICE_BYTES))
    job, size = finished(local_client, large), large.stat().st_size
    for address in (link(local_client, job)["download_url"], url(job, "download") + "?redirect=1"):
        answer = local_client.get(address, headers={"Range": "bytes=100-"})
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes 100-{100 + SLICE_BYTES - 1}/{size}"
        assert answer.content == large.read_bytes()[100 : 100 + SLICE_BYTES]
        last = local_client.get(address, headers={"Range": "bytes=-10", "If-Range": answer.headers["etag"]})
        assert (last.status_code, last.headers["content-range"]) == (206, f"bytes {size - 10}-{size - 1}/{size}")
        assert local_client.get(address, headers={"Range": f"bytes={size}-"}).status_code == 416
        assert local_client.get(address, headers={"If-None-Match": answer.headers["etag"]}).status_code in {304, 200}
        head = local_client.head(address)
        assert (head.status_code, head.headers["content-length"], head.content) == (200, str(size), b"")


def test_a_large_file_that_is_wanted_whole_is_handed_to_its_link(local_client: TestClient, tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    large.write_bytes(SAMPLE.read_bytes() + bytes(SLICE_BYTES))
    job = finished(local_client, large)

    answer = local_client.get(url(job, "download"), params={"redirect": "1"}, follow_redirects=False)

    assert answer.status_code == 307
    assert answer.headers["location"].startswith("/api/v1/files/")
    assert local_client.get(answer.headers["location"]).content == large.read_bytes()


def test_a_link_that_was_changed_is_none(local_client: TestClient) -> None:
    good = link(local_client, finished(local_client))["download_url"]

    for bad in (good[:-4] + "AAAA", good.replace("files/", "files/A"), "/api/v1/files/x", "/api/v1/files/é", good[:40]):
        answer = local_client.get(bad)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), bad


def test_a_preview_plays_by_itself(client: TestClient) -> None:
    job = finished(client)

    answer = client.get(url(job, "preview"), params={"start_time": 4.2, "duration": 3}, follow_redirects=False)

    if answer.status_code == 307:
        answer = httpx.get(answer.headers["location"])
    assert answer.headers["content-type"] == "video/mp4"
    seconds, kinds, pictures = film_of(answer.content)
    assert seconds == pytest.approx(3.0, abs=0.2)
    assert sorted(kinds) == ["audio", "video"]
    assert pictures == pytest.approx(75, abs=6)


def test_a_preview_of_the_source_is_there_before_any_result(local_client: TestClient) -> None:
    job = submitted(local_client)

    assert local_client.get(url(job, "preview")).status_code == 409
    answer = local_client.get(url(job, "preview"), params={"language": "source"})

    assert film_of(answer.content)[0] == pytest.approx(11.0, abs=0.2)


def test_a_preview_has_limits(local_client: TestClient) -> None:
    job = finished(local_client)
    for query in (
        {"start_time": 12},
        {"start_time": -1},
        {"start_time": "nan"},
        {"start_time": "inf"},
        {"duration": 0},
        {"duration": 61},
        {"duration": "long"},
    ):
        answer = local_client.get(url(job, "preview"), params=query)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), query


def test_clips_are_kept_but_not_without_end(local_client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_apps.files.derived.KEPT_CLIPS", 2)
    job, blobs = finished(local_client), services_of(local_client).blobs
    counts = []
    for start in (1, 2, 1, 3, 1):
        assert local_client.get(url(job, "preview"), params={"start_time": start, "duration": 1}).status_code == 200
        counts.append(len(list(blobs.keys(layout.derived("default", job.id)))))

    assert counts == [1, 2, 2, 1, 2]


def test_a_result_that_is_made_anew_gets_new_clips(local_client: TestClient, tmp_path: Path) -> None:
    job = finished(local_client)
    assert film_of(local_client.get(url(job, "preview")).content)[0] == pytest.approx(11.0, abs=0.2)
    shorter = write(tmp_path / "shorter.mp4", Picture(2), [Track(tone(2))])
    services_of(local_client).blobs.put_file(f"{layout.results('default', 'r1')}/dub.es.mp4", shorter)

    assert film_of(local_client.get(url(job, "preview")).content)[0] == pytest.approx(2.0, abs=0.2)


def test_a_poster_is_a_small_upright_picture(client: TestClient) -> None:
    job = submitted(client)

    answer = client.get(url(job, "poster"))

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    with av.open(BytesIO(answer.content)) as picture:
        frame = next(picture.decode(video=0))
        assert (frame.width, frame.height) == (640, 360)
    again = client.get(url(job, "poster"), headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_waveform_has_the_length_and_the_peaks_of_the_sound(client: TestClient) -> None:
    job = finished(client)

    for query in ({}, {"language": "source"}, {"language": "es"}):
        answer = client.get(url(job, "waveform"), params=query)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        found = answer.json()
        assert found["duration"] == pytest.approx(11.0, abs=0.1)
        assert 1000 < len(found["peaks"]) <= 2000
        assert 0.1 < max(found["peaks"]) <= 1.0


def test_sound_alone_has_clips_and_no_picture(local_client: TestClient, tmp_path: Path) -> None:
    job = finished(local_client, write(tmp_path / "talk.m4a", None, [Track(tone(4))], container="mp4"), "talk.m4a")

    assert local_client.get(url(job, "poster")).status_code == 404
    clip = local_client.get(url(job, "preview"), params={"start_time": 1, "duration": 2})
    assert (clip.status_code, clip.headers["content-type"]) == (200, "audio/mp4")
    assert film_of(clip.content)[:2] == (pytest.approx(2.0, abs=0.1), ["audio"])
    assert link(local_client, job, type="audio")["filename"] == "talk.es.m4a"
    assert local_client.get(url(job, "download"), params={"type": "video"}).status_code == 404


def test_what_is_no_film_shows_nothing_and_leaves_nothing(local_client: TestClient, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("This is not a film.\n" * 100)
    job = submitted(local_client, text)

    for what in ("poster", "waveform", "preview?language=source"):
        answer = local_client.get(url(job, what))
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media"), what
    services = services_of(local_client)
    assert list(services.blobs.keys(layout.derived("default", job.id))) == []
    assert [path for path in services.scratch.iterdir() if path.is_dir()] == []


def test_a_source_that_was_changed_is_not_shown(local_client: TestClient) -> None:
    job = submitted(local_client)
    services_of(local_client).blobs.put_bytes(f"{layout.upload('default', '0' * 32)}/source.mp4", b"else")

    answer = local_client.get(url(job, "poster"))

    assert (answer.status_code, answer.json()["code"]) == (409, "source_changed")


def test_objects_are_not_fetched_to_a_full_disk(
    tmp_path: Path, sqlite_url: str, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = {"blob_url": f"s3://{object_store.bucket()}/some/prefix", "s3_endpoint_url": object_store.url}
    with doors(service_settings(tmp_path, sqlite_url, **store)) as client:
        job = submitted(client)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))

        answer = client.get(url(job, "poster"))

        assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
        assert json.loads(client.get("/readyz?verbose").text)["checks"]["disk"] == "disk_full"
        assert [path.name for path in (tmp_path / "scratch" / "shown").iterdir() if path.suffix != ".lock"] == []
