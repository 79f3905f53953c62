from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cluster import layout
from cluster.accounts.accounts import Accounts
from cluster.accounts.records import Limits
from cluster.blobs.store import open_blobs
from cluster.errors import ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Failure, JobStatus, PartId, Stage
from cluster.settings import Settings
from tests.fixtures.doors import doors, new_key, service_settings
from tests.fixtures.ledgers import request
from tests.fixtures.object_store import ObjectStore

SAMPLE = Path(__file__).parent.parent.parent.parent / "samples" / "jfk.mp4"
JOBS = "/api/v1/jobs"
UNKNOWN = "0" * 32


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return service_settings(tmp_path, database_url)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with doors(settings) as client:
        yield client


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    opened = Ledger(settings.database)
    yield opened
    opened.close()


def upload(client: TestClient, **fields: Any) -> str:
    data = {"target_language": "es", **fields}
    answer = client.post("/api/v1/upload", files={"file": ("talk.mp4", SAMPLE.read_bytes())}, data=data)
    assert answer.status_code == 202
    return str(answer.json()["job_id"])


def test_a_new_job_is_shown_as_promised(client: TestClient) -> None:
    job_id = upload(client, target_language="es,fr", source_language="en")
    answer = client.get(f"{JOBS}/{job_id}/status")
    status = answer.json()

    assert answer.status_code == 200
    assert {
        *("job_id", "status", "progress", "current_stage", "stages", "outputs", "attempt", "warnings", "created_at"),
        *("updated_at", "estimated_completion", "error_message", "error"),
    } <= set(status)
    assert (status["job_id"], status["status"], status["progress"]) == (job_id, "uploaded", 0.0)
    assert [stage["name"] for stage in status["stages"]] == [stage.value for stage in Stage]
    assert [stage["percent"] for stage in status["stages"]] == [5, 10, 15, 20, 35, 40, 50, 60, 75, 85, 95]
    assert [output["language"] for output in status["outputs"]] == ["es", "fr"]
    assert status["created_at"].endswith("Z")
    assert int(answer.headers["retry-after"]) > 0


def test_a_job_is_followed_to_its_end(client: TestClient, ledger: Ledger) -> None:
    job_id = upload(client, target_language="es,fr")
    claim = ledger.claim("worker")
    assert claim is not None
    for stage in (Stage.VALIDATION, Stage.SEPARATION):
        ledger.expect(claim.lease, stage, "", 1)
        ledger.finish(claim.lease, PartId(stage, 0), "", seconds=1.0)
    ledger.expect(claim.lease, Stage.TRANSCRIPTION, "", 4)
    ledger.finish(claim.lease, PartId(Stage.TRANSCRIPTION, 0), "key", seconds=2.0)
    running = client.get(f"{JOBS}/{job_id}/status").json()
    assert (running["status"], running["current_stage"], running["attempt"]) == ("processing", "diarization", 1)
    shown = {stage["name"]: stage for stage in running["stages"]}
    assert shown["validation"]["status"] == "completed"
    assert (shown["transcription"]["progress"], shown["transcription"]["seconds"]) == (25.0, 2.0)
    assert [one["language"] for one in shown["synthesis"]["languages"]] == ["es", "fr"]

    ledger.warn(claim.lease, "no_speech", "nobody speaks")
    ledger.publish(claim.lease, "es", {"video": "file:///x/dub.es.mp4", "srt": "file:///x/dub.es.srt"}, {"rate": 1})
    ledger.fail_output(claim.lease, "fr", Failure(ErrorCode.ENGINE_FAILED, "it broke", Stage.SYNTHESIS))
    answer = client.get(f"{JOBS}/{job_id}/status")
    done = answer.json()

    assert (done["status"], done["progress"], done["current_stage"], done["error"]) == ("completed", 100.0, None, None)
    spanish, french = done["outputs"]
    assert spanish["files"][0] == {
        "type": "video",
        "filename": "talk.es.mp4",
        "download_url": f"{JOBS}/{job_id}/download?language=es&type=video",
    }
    assert spanish["report"] == {"rate": 1}
    assert french["error"] == {
        "code": "engine_failed",
        "message": "it broke",
        "stage": "synthesis",
        "retryable": False,
    }
    assert done["warnings"] == [{"code": "no_speech", "message": "nobody speaks"}]
    assert "retry-after" not in answer.headers


def test_a_failed_job_says_why(client: TestClient, ledger: Ledger) -> None:
    job_id = upload(client)
    claim = ledger.claim("worker")
    assert claim is not None
    ledger.fail(claim.lease, Failure(ErrorCode.TRUNCATED_MEDIA, "cut off", Stage.VALIDATION))
    status = client.get(f"{JOBS}/{job_id}/status").json()
    assert (status["status"], status["error_message"], status["current_stage"]) == ("failed", "cut off", "validation")
    assert status["error"]["code"] == "truncated_media"


def test_an_unchanged_job_costs_no_body(client: TestClient, ledger: Ledger) -> None:
    url = f"{JOBS}/{upload(client)}/status"
    tag = client.get(url).headers["etag"]
    again = client.get(url, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    ledger.claim("worker")
    assert client.get(url, headers={"If-None-Match": tag}).status_code == 200


def test_jobs_are_cancelled_and_tried_again(client: TestClient, ledger: Ledger) -> None:
    job_id = upload(client)
    assert client.post(f"{JOBS}/{job_id}/retry").json()["code"] == "conflict"
    assert client.post(f"{JOBS}/{job_id}/cancel").json()["status"] == "cancelled"
    assert client.post(f"{JOBS}/{job_id}/cancel").status_code == 200, "cancelling again changes nothing"
    again = client.post(f"{JOBS}/{job_id}/retry")
    assert (again.status_code, again.json()["status"]) == (202, "uploaded")
    claim = ledger.claim("worker")
    assert claim is not None
    ledger.publish(claim.lease, "es", {}, {})
    finished = client.post(f"{JOBS}/{job_id}/cancel")
    assert (finished.status_code, finished.json()["code"]) == (409, "conflict")


def test_a_deleted_job_is_gone_with_its_files(client: TestClient, ledger: Ledger, settings: Settings) -> None:
    job_id = upload(client)
    blobs = open_blobs(settings.blobs)
    asked = ledger.job(job_id).request
    blobs.put_bytes(f"{layout.artefacts('default', asked.source_uri, asked.source_version)}/x/y.json", b"{}")
    assert client.delete(f"{JOBS}/{job_id}").status_code == 409
    client.post(f"{JOBS}/{job_id}/cancel")

    assert client.delete(f"{JOBS}/{job_id}").status_code == 204
    assert list(blobs.keys()) == []
    assert client.get(f"{JOBS}/{job_id}/status").status_code == 404
    assert client.delete(f"{JOBS}/{job_id}").status_code == 404
    assert client.get(JOBS).json() == {"items": [], "next_cursor": None}


def test_an_interrupted_delete_goes_on_when_it_is_asked_for_again(
    client: TestClient, ledger: Ledger, settings: Settings
) -> None:
    job_id = upload(client)
    ledger.cancel(job_id)
    ledger.delete(job_id)  # the service was killed here
    blobs = open_blobs(settings.blobs)
    assert list(blobs.keys()) != []
    assert client.delete(f"{JOBS}/{job_id}").status_code == 204
    assert list(blobs.keys()) == []
    assert client.delete(f"{JOBS}/{job_id}").status_code == 404


def test_lists_have_pages_and_statuses(client: TestClient, ledger: Ledger) -> None:
    ids = [ledger.submit(request(name)).id for name in "abcde"]
    ledger.submit(request("foreign", tenant="other"))
    ledger.cancel(ids[0])
    first = client.get(JOBS, params={"limit": 2}).json()
    second = client.get(JOBS, params={"limit": 200, "cursor": first["next_cursor"]}).json()
    assert [job["job_id"] for job in first["items"] + second["items"]] == ids[::-1]
    assert second["next_cursor"] is None
    cancelled = client.get(JOBS, params={"status": JobStatus.CANCELLED}).json()["items"]
    assert [job["job_id"] for job in cancelled] == ids[:1]
    assert cancelled[0]["name"] == "a.mp4"


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"status": "lost"}, {"cursor": "x"}])
def test_lists_that_cannot_be_are_refused(client: TestClient, query: dict[str, Any]) -> None:
    answer = client.get(JOBS, params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


ROUTES = [("GET", "/status"), ("POST", "/cancel"), ("POST", "/retry"), ("DELETE", "")]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_somebody_elses_job_is_as_unknown_as_none(
    client: TestClient, ledger: Ledger, settings: Settings, method: str, path: str
) -> None:
    foreign = ledger.submit(request(tenant="other")).id
    removed = ledger.submit(request("gone", tenant="other")).id
    ledger.cancel(removed)
    ledger.delete(removed)
    client.headers["Authorization"] = f"Bearer {new_key(settings, 'acme')}"

    def answer(job_id: str) -> tuple[int, str]:
        found = client.request(method, f"{JOBS}/{job_id}{path}", headers={"X-Request-Id": "same"})
        return found.status_code, found.text.replace(job_id, "ID")

    assert answer(foreign) == answer(removed) == answer(UNKNOWN)
    assert answer(UNKNOWN)[0] == 404
    assert ledger.job(foreign).status is JobStatus.UPLOADED


@pytest.mark.parametrize("job_id", ["x", "%00", "..%2f..", "A" * 32, "é", "%ff", "x" * 199])
def test_what_is_no_id_is_not_found(client: TestClient, job_id: str) -> None:
    answer = client.get(f"{JOBS}/{job_id}/status")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_an_upload_becomes_jobs(client: TestClient, ledger: Ledger) -> None:
    announced = client.post("/api/v1/uploads", json={"name": "long.mp4", "size": SAMPLE.stat().st_size}).json()
    order = {"source": {"upload_id": announced["upload_id"]}, "target_languages": ["es"]}
    early = client.post(JOBS, json=order)
    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    client.put(f"/api/v1/uploads/{announced['upload_id']}/parts/1", content=SAMPLE.read_bytes())
    client.post(announced["complete_url"])

    first = client.post(JOBS, json=order)
    assert first.status_code == 202
    assert client.post(JOBS, json=order).json()["job_id"] == first.json()["job_id"]
    other = client.post(JOBS, json={**order, "options": {"keep_background": True}}).json()
    assert other["job_id"] != first.json()["job_id"]
    destinations = {ledger.job(answer["job_id"]).request.destination for answer in (first.json(), other)}
    assert len(destinations) == 2, "results of one source do not overwrite each other"
    ledger.cancel(other["job_id"])
    assert client.post(JOBS, json={**order, "options": {"keep_background": True}}).json()["status"] == "uploaded"


def test_an_object_of_s3_becomes_a_job_where_its_prefix_is_open(
    tmp_path: Path, database_url: str, object_store: ObjectStore
) -> None:
    settings = service_settings(tmp_path, database_url, s3_endpoint_url=object_store.url, max_source_bytes=10)
    bucket = object_store.bucket()
    for key in ("mine/talk.mp4", "theirs/talk.mp4", "mine/long.mp4"):
        object_store.client().put_object(Bucket=bucket, Key=key, Body=b"x" * (11 if "long" in key else 3))
    accounts = Accounts(settings.database, Limits.of(settings))
    accounts.set_tenant("default", source_prefixes=[f"s3://{bucket}/mine"])
    accounts.close()

    with doors(settings) as client:

        def order(uri: str) -> tuple[int, str]:
            answer = client.post(JOBS, json={"source": {"uri": uri}, "target_languages": ["es"]}).json()
            return answer["status"], answer.get("code") or answer["message"]

        assert order(f"s3://{bucket}/mine/talk.mp4") == ("uploaded", "talk.mp4 is waiting to be dubbed into Spanish")
        assert order(f"s3://{bucket}/mine/talk.mp4")[0] == "uploaded"
        assert order(f"s3://{bucket}/mine/nothing.mp4") == (404, "not_found")
        assert order(f"s3://{bucket}/theirs/talk.mp4") == (404, "not_found")
        assert order(f"s3://{bucket}/mine/../theirs/talk.mp4") == (404, "not_found")
        assert order(f"s3://{bucket}/mine/long.mp4") == (413, "too_large")
        assert order("file:///etc/passwd") == (422, "invalid_request")
        assert order("http://169.254.169.254/latest") == (422, "invalid_request")


@pytest.mark.parametrize(
    "order",
    [
        {},
        [],
        {"source": {}, "target_languages": ["es"]},
        {"source": {"uri": "s3://b/k", "upload_id": "x"}, "target_languages": ["es"]},
        {"source": {"uri": "s3://b/k"}, "target_languages": []},
        {"source": {"uri": "s3://b/k"}, "target_languages": ["es"], "what": 1},
        {"source": {"uri": "s3://b/k"}, "target_languages": ["es"], "options": {"max_speakers": 0}},
    ],
)
def test_orders_that_cannot_be_are_refused(client: TestClient, order: Any) -> None:
    answer = client.post(JOBS, json=order)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_a_large_body_is_refused_before_it_is_held(client: TestClient) -> None:
    announced = client.post(JOBS, content=b" " * 2_000_000)
    streamed = client.post(JOBS, content=iter([b" " * 600_000] * 4))
    for answer in (announced, streamed):
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
