import base64
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.sources import describe_source
from serve_apps.uploads import parts
from tests.fixtures.doors import doors, service_settings
from tests.fixtures.ledgers import request as job_request
from tests.fixtures.object_store import ObjectStore

if TYPE_CHECKING:
    from cluster.ledger.ledger import Ledger

SAMPLE = (Path(__file__).parents[3] / "samples" / "jfk.mp4").read_bytes()
FILM = SAMPLE + os.urandom(64)
MIB = 1024 * 1024
API = "/api/v1/uploads"


@pytest.fixture
def client(tmp_path: Path, sqlite_url: str) -> Iterator[TestClient]:
    with doors(service_settings(tmp_path, sqlite_url)) as client:
        yield client


@pytest.fixture
def s3_client(tmp_path: Path, database_url: str, object_store: ObjectStore) -> Iterator[TestClient]:
    store = {"blob_url": f"s3://{object_store.bucket()}/some/prefix", "s3_endpoint_url": object_store.url}
    with doors(service_settings(tmp_path, database_url, **store)) as client:
        yield client


def announce(client: TestClient, data: bytes = FILM, name: str = "film.mp4") -> dict[str, Any]:
    answer = client.post(API, json={"name": name, "size": len(data)})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == made["upload_url"]
    return made


def send(client: TestClient, upload: dict[str, Any], offset: int, data: bytes, **headers: str) -> httpx.Response:
    return client.patch(upload["upload_url"], content=data, headers={"Upload-Offset": str(offset), **headers})


def offset_of(client: TestClient, upload: dict[str, Any]) -> int:
    head = client.head(upload["upload_url"])
    assert head.status_code == 200
    assert head.headers["upload-offset"] == str(client.get(upload["upload_url"]).json()["offset"])
    return int(head.headers["upload-offset"])


def stored(client: TestClient, upload: dict[str, Any]) -> bytes:
    """The source that a job would have."""
    services = client.app.state.services  # type: ignore[attr-defined]
    record = services.ledger.upload("default", upload["upload_id"])
    assert record.complete
    source = describe_source(record.uri, s3_endpoint_url=services.settings.s3_endpoint_url)
    assert (source.version, source.size) == (record.version, record.size)
    data: bytes = services.blobs.get_bytes(record.key)
    return data


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "blobs").rglob("*") if path.is_file())


def test_a_file_arrives_in_parts_and_can_be_a_source(tmp_path: Path, database_url: str) -> None:
    with doors(service_settings(tmp_path, database_url)) as client:
        data = FILM + os.urandom(parts.CHUNK_BYTES)
        upload = announce(client, data)
        assert (upload["direct"], upload["offset"], upload["part_bytes"]) == (False, 0, parts.CHUNK_BYTES)
        for part in upload["parts"]:
            piece = data[part["offset"] : part["offset"] + part["size"]]
            answer = client.put(part["url"], content=piece)
            assert answer.status_code == 204
            assert answer.headers["upload-offset"] == str(part["offset"] + part["size"])

        done = client.post(upload["complete_url"])

        assert done.status_code == 200
        assert (done.json()["status"], done.json()["offset"]) == ("complete", len(data))
        assert hashlib.sha256(stored(client, upload)).digest() == hashlib.sha256(data).digest()
        assert files(tmp_path) == ["source.mp4"]
        assert client.post(upload["complete_url"]).json() == done.json()
        assert stored(client, upload) == data
        assert client.get(upload["parts_url"]).status_code == 409
        assert send(client, upload, len(data), b"more").status_code == 409


def test_a_chunk_at_another_offset_is_a_conflict_that_changes_nothing(client: TestClient, tmp_path: Path) -> None:
    upload = announce(client)
    assert send(client, upload, 0, FILM[:1000]).status_code == 204

    for offset in (0, 999, 1001, len(FILM), 2**40):
        refused = send(client, upload, offset, b"x" * 10)
        assert refused.status_code == 409
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["upload-offset"] == "1000"
        assert refused.json()["code"] == "conflict"

    assert offset_of(client, upload) == 1000
    assert len(files(tmp_path)) == 1


ACTIONS = st.one_of(
    st.tuples(st.just("next"), st.integers(1, 5000)),
    st.tuples(st.just("again"), st.integers(1, 5000)),
    st.tuples(st.just("elsewhere"), st.integers(-3000, 3000)),
    st.tuples(st.just("damaged"), st.integers(1, 5000)),
    st.tuples(st.just("too much"), st.integers(1, 50)),
    st.tuples(st.just("complete"), st.just(0)),
)


@given(st.lists(ACTIONS, max_size=15), st.integers(5000, 20_000))
@settings(max_examples=15)
def test_any_sequence_of_tries_gives_the_exact_bytes_or_a_conflict(
    client: TestClient, actions: list[tuple[str, int]], size: int
) -> None:
    data = FILM[:size]
    upload, received, last = announce(client, data), 0, 0
    for kind, number in actions:
        match kind:
            case "next":
                piece = data[received : received + number]
                answer = send(client, upload, received, piece)
                assert answer.status_code == (204 if piece else 409)
                last, received = received, received + len(piece)
            case "again":
                answer = send(client, upload, last, data[last : last + number])
                assert answer.status_code == 409 or last == received
                received = int(answer.headers["upload-offset"])
            case "elsewhere":
                answer = send(client, upload, max(0, received + number), b"wrong")
                assert answer.status_code == 409 or number == 0 or received + number <= 0 == received
                if answer.status_code == 204:
                    client.delete(upload["upload_url"])
                    upload, received, last = announce(client, data), 0, 0
            case "damaged":
                digest = base64.b64encode(hashlib.sha256(b"something else").digest()).decode()
                answer = send(client, upload, received, b"x" * number, **{"Upload-Checksum": f"sha256 {digest}"})
                assert answer.status_code == (422 if received + number <= size else 409)
            case "too much":
                assert send(client, upload, received, b"x" * (size - received + number)).status_code == 409
            case _:
                assert client.post(upload["complete_url"]).status_code == (200 if received == size else 409)
        assert offset_of(client, upload) == received
    if received < size:
        assert send(client, upload, received, data[received:]).status_code == 204
    assert client.post(upload["complete_url"]).status_code == 200
    assert stored(client, upload) == data


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Upload-Checksum", "sha1 " + base64.b64encode(hashlib.sha1(b"wrong").digest()).decode()),
        ("Content-Digest", "sha-256=:" + base64.b64encode(hashlib.sha256(b"wrong").digest()).decode() + ":"),
        ("Upload-Checksum", "crc7 AAAA"),
        ("Upload-Checksum", "sha256 ???"),
        ("Content-Digest", "md5=:AAAA:"),
    ],
)
def test_a_chunk_that_is_not_what_its_checksum_says_is_discarded(
    client: TestClient, tmp_path: Path, name: str, value: str
) -> None:
    upload = announce(client)

    refused = send(client, upload, 0, FILM[:1000], **{name: value})

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert offset_of(client, upload) == 0
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", ["Content-Digest", "Upload-Checksum"])
def test_a_chunk_with_the_right_checksum_counts(client: TestClient, name: str) -> None:
    upload = announce(client)
    digest = base64.b64encode(hashlib.sha256(FILM[:1000]).digest()).decode()
    value = f"sha-256=:{digest}:" if name == "Content-Digest" else f"sha256 {digest}"

    assert send(client, upload, 0, FILM[:1000], **{name: value}).status_code == 204
    assert offset_of(client, upload) == 1000


def test_a_chunk_is_at_most_16_mib_whatever_its_header_says(client: TestClient, tmp_path: Path) -> None:
    upload = announce(client, bytes(40 * MIB))

    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield bytes(MIB)

    refused = client.patch(upload["upload_url"], content=endless(), headers={"Upload-Offset": "0"})

    assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
    assert offset_of(client, upload) == 0
    assert files(tmp_path) == []


def test_a_part_of_another_length_is_refused(client: TestClient) -> None:
    upload = announce(client)
    (part,) = upload["parts"]

    assert client.put(part["url"], content=FILM[:-1]).status_code == 422
    assert client.put(f"{upload['parts_url']}/2", content=b"x").status_code == 409
    assert offset_of(client, upload) == 0
    assert client.put(part["url"], content=FILM).status_code == 204
    assert client.put(part["url"], content=FILM).status_code == 409


def test_a_chunk_without_bytes_is_refused(client: TestClient) -> None:
    upload = announce(client)

    assert send(client, upload, 0, b"").status_code == 422


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "film.mp4", "size": 2**37}, 413, "too_large"),
        ({"name": "film.exe", "size": 100}, 415, "unsupported_media"),
        ({"name": "film", "size": 100}, 415, "unsupported_media"),
        ({"name": "film.mp4", "size": 0}, 422, "invalid_request"),
        ({"name": "film.mp4", "size": -1}, 422, "invalid_request"),
        ({"name": "", "size": 1}, 422, "invalid_request"),
        ({"name": "x" * 300 + ".mp4", "size": 1}, 422, "invalid_request"),
        ({"name": "film.mp4"}, 422, "invalid_request"),
        ({"name": "film.mp4", "size": 1, "key": "../../etc/passwd"}, 422, "invalid_request"),
    ],
)
def test_what_cannot_become_a_source_is_refused_before_its_first_byte(
    client: TestClient, body: dict[str, Any], status: int, code: str
) -> None:
    refused = client.post(API, json=body)

    assert (refused.status_code, refused.json()["code"]) == (status, code)


@pytest.mark.parametrize("name", ["../../../x.mp4", "/etc/x.mp4", "a\\b\nc.mp4", "\u202egp.mp4", "CON.MP4", "\0.mp4"])
def test_names_are_only_shown(client: TestClient, tmp_path: Path, name: str) -> None:
    upload = announce(client, name=name)
    send(client, upload, 0, FILM)

    assert client.post(upload["complete_url"]).status_code == 200
    assert files(tmp_path) == ["source.mp4"]
    assert client.get(upload["upload_url"]).json()["name"] == name.replace("\0", "\ufffd")


def test_what_is_no_media_is_refused_when_it_is_complete_and_removed(client: TestClient, tmp_path: Path) -> None:
    text = b"This is not a film.\n" * 1000
    upload = announce(client, text)
    send(client, upload, 0, text)

    refused = client.post(upload["complete_url"])

    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_media")
    assert client.get(upload["upload_url"]).status_code == 404
    assert files(tmp_path) == []


def test_an_incomplete_upload_says_where_to_go_on(client: TestClient) -> None:
    upload = announce(client)
    send(client, upload, 0, FILM[:1000])

    refused = client.post(upload["complete_url"])

    assert refused.status_code == 409
    assert refused.json()["detail"].endswith("go on at 1000")


def test_an_upload_can_be_given_up_unless_a_job_needs_it(client: TestClient, tmp_path: Path) -> None:
    upload = announce(client)
    send(client, upload, 0, FILM)
    assert client.delete(upload["upload_url"]).status_code == 204
    assert client.get(upload["upload_url"]).status_code == 404
    assert files(tmp_path) == []

    kept = announce(client)
    send(client, kept, 0, FILM)
    client.post(kept["complete_url"])
    ledger: Ledger = client.app.state.services.ledger  # type: ignore[attr-defined]
    ledger.submit(job_request(source_uri=ledger.upload("default", kept["upload_id"]).uri))
    assert client.delete(kept["upload_url"]).status_code == 409
    assert stored(client, kept) == FILM


def test_unknown_uploads_are_not_found(client: TestClient) -> None:
    calls = [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/parts"), ("PUT", "/parts/1"), ("POST", "/complete")]
    for number in ("0" * 32, "nonsense", "%00", "..%2f..", "é"):
        for method, path in calls:
            answer = client.request(method, f"{API}/{number}{path}", headers={"Upload-Offset": "0"})
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, path, number)


def test_an_upload_of_another_tenant_is_not_there(client: TestClient) -> None:
    ledger: Ledger = client.app.state.services.ledger  # type: ignore[attr-defined]
    upload = ledger.create_upload("other", "film.mp4", 10, seconds=60, key="uploads/other/x/source.mp4")

    assert client.get(f"{API}/{upload.id}").status_code == 404
    assert client.patch(f"{API}/{upload.id}", content=b"x", headers={"Upload-Offset": "0"}).status_code == 404
    assert ledger.upload("other", upload.id).received == 0


def test_a_file_that_the_disk_has_no_room_for_is_refused_at_once(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=300 * MIB))

    refused = client.post(API, json={"name": "film.mp4", "size": 100 * MIB})

    assert (refused.status_code, refused.json()["code"]) == (507, "disk_full")


def test_a_disk_that_fills_up_meanwhile_costs_the_chunk_alone(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = announce(client)
    send(client, upload, 0, FILM[:1000])
    before = files(tmp_path)

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        refused = send(client, upload, 1000, FILM[1000:])

    assert (refused.status_code, refused.json()["code"]) == (507, "disk_full")
    assert files(tmp_path) == before
    assert offset_of(client, upload) == 1000
    assert send(client, upload, 1000, FILM[1000:]).status_code == 204
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert client.post(upload["complete_url"]).status_code == 507
    assert client.post(upload["complete_url"]).status_code == 200
    assert stored(client, upload) == FILM


def test_links_to_parts_are_given_page_by_page(client: TestClient) -> None:
    upload = announce(client, bytes(parts.CHUNK_BYTES * 5 // 2))
    send(client, upload, 0, bytes(parts.CHUNK_BYTES))

    page = client.get(upload["parts_url"], params={"count": 2}).json()

    assert [(p["number"], p["size"], p["received"]) for p in page["parts"]] == [
        (1, parts.CHUNK_BYTES, True),
        (2, parts.CHUNK_BYTES, False),
    ]
    assert page["next_part"] == 3
    rest = client.get(upload["parts_url"], params={"first": 3}).json()
    assert [(p["number"], p["size"]) for p in rest["parts"]] == [(3, parts.CHUNK_BYTES // 2)]
    assert rest["next_part"] is None


def test_parts_go_straight_to_an_object_store(s3_client: TestClient, object_store: ObjectStore) -> None:
    data = FILM + os.urandom(parts.OBJECT_PART_BYTES)
    upload = announce(s3_client, data)
    assert (upload["direct"], upload["part_bytes"], upload["part_count"]) == (True, parts.OBJECT_PART_BYTES, 2)
    assert all(part["url"].startswith(object_store.url) for part in upload["parts"])

    first, second = upload["parts"]
    put = httpx.put(second["url"], content=data[second["offset"] :])  # any order will do
    assert put.status_code == 200
    assert offset_of(s3_client, upload) == 0
    refused = s3_client.post(upload["complete_url"])
    assert refused.status_code == 409
    assert "1 of 2 parts are missing: 1;" in refused.json()["detail"]
    again = s3_client.get(upload["parts_url"]).json()["parts"]
    assert [part["received"] for part in again] == [False, True]
    httpx.put(again[0]["url"], content=data[: first["size"]]).raise_for_status()
    assert offset_of(s3_client, upload) == len(data)

    done = s3_client.post(upload["complete_url"])

    assert (done.status_code, done.json()["status"]) == (200, "complete")
    assert hashlib.sha256(stored(s3_client, upload)).digest() == hashlib.sha256(data).digest()
    assert s3_client.post(upload["complete_url"]).json() == done.json()
    assert send(s3_client, upload, 0, b"x").status_code == 409


def test_an_object_that_is_no_media_is_removed(s3_client: TestClient) -> None:
    text = b"This is not a film.\n" * 1000
    upload = announce(s3_client, text)
    httpx.put(upload["parts"][0]["url"], content=text).raise_for_status()

    refused = s3_client.post(upload["complete_url"])

    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_media")
    assert list(s3_client.app.state.services.blobs.keys()) == []  # type: ignore[attr-defined]
    assert s3_client.get(upload["upload_url"]).status_code == 404


def test_parts_of_an_upload_that_is_given_up_are_removed(s3_client: TestClient, object_store: ObjectStore) -> None:
    upload = announce(s3_client)
    httpx.put(upload["parts"][0]["url"], content=FILM).raise_for_status()

    assert s3_client.delete(upload["upload_url"]).status_code == 204

    assert httpx.put(upload["parts"][0]["url"], content=FILM).is_error
    services = s3_client.app.state.services  # type: ignore[attr-defined]
    bucket = services.settings.blob_url.split("/")[2]
    assert object_store.client().list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
