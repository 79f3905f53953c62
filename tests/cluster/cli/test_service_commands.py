"""The program against a running service: submit, watch, cancel, download, and jobs as both desks show them."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cluster import layout
from cluster.blobs.contract import BlobStore
from cluster.blobs.store import open_blobs
from cluster.cli.app import main
from cluster.errors import ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Failure, Job, JobStatus, PartId, Stage
from cluster.settings import Settings
from serve_apps.application import create_app
from tests.fixtures.doors import new_key, service_settings
from tests.fixtures.served import Served

SAMPLE = Path(__file__).parents[3] / "samples" / "jfk.mp4"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Program:
    """`dubflow` in this process, as a user of the service has it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ran:
        self._monkeypatch.setattr("sys.argv", ["dubflow", *arguments])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = self._capsys.readouterr()
        return Ran(int(ended.value.code or 0), captured.out, captured.err)


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    return service_settings(tmp_path / "service", sqlite_url)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    opened = Ledger(settings.database)
    yield opened
    opened.close()


@pytest.fixture
def blobs(settings: Settings) -> BlobStore:
    return open_blobs(settings.blobs)


@pytest.fixture
def service(settings: Settings) -> Iterator[Served]:
    running = Served(partial(create_app, settings))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def dubflow(
    service: Served,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Program:
    monkeypatch.setenv("DUBFLOW_SERVICE_URL", service.url)
    monkeypatch.setenv("DUBFLOW_API_KEY", new_key(settings, "ours"))
    monkeypatch.setenv("DUBFLOW_HOME", str(tmp_path / "user"))
    return Program(monkeypatch, capsys)


def submitted(dubflow: Program, *more: str) -> str:
    ran = dubflow("submit", str(SAMPLE), "--to", "es,fr", "--json", *more)
    assert ran.code == 0, ran.err
    return str(ran.json["job_id"])


def dub(ledger: Ledger, blobs: BlobStore, files: dict[str, bytes]) -> Job:
    """Do the flow's work for the job that is next."""
    claim = ledger.claim("worker")
    assert claim is not None
    job = claim.job
    for stage in (Stage.VALIDATION, Stage.SEPARATION):
        ledger.expect(claim.lease, stage, "", 1)
        ledger.finish(claim.lease, PartId(stage, 0), "", seconds=1.0)
    for language in job.request.target_languages:
        places = {}
        for kind, content in files.items():
            suffix = {"video": "mp4", "script": "json"}.get(kind, kind)
            prefix = job.request.destination.removeprefix(blobs.uri(layout.RESULTS))
            key = f"{layout.RESULTS}{prefix}/dub.{language}.{suffix}"
            blobs.put_bytes(key, content)
            places[kind] = blobs.uri(key)
        ledger.publish(claim.lease, language, places, {})
    return ledger.job(job.id)


def test_a_file_becomes_a_job(dubflow: Program, ledger: Ledger, blobs: BlobStore) -> None:
    targets, more = ("--to", "es", "--to", "fr"), ("--max-speakers", "2", "--review", "--series", "Life on Mars")
    ran = dubflow("submit", str(SAMPLE), *targets, "--from", "en", *more)
    job_id, status = ran.out.split()
    job = ledger.job(job_id)
    assert (ran.code, status, job.status) == (0, "uploaded", JobStatus.UPLOADED)
    assert job.request.target_languages == ("es", "fr")
    assert (job.request.source_language, job.request.tenant, job.request.review) == ("en", "ours", True)
    assert (job.request.options["max_speakers"], job.request.options["series"]) == (2, "Life on Mars")
    (key,) = blobs.keys("uploads")
    assert blobs.get_bytes(key) == SAMPLE.read_bytes()
    assert f"{SAMPLE.name}: " in ran.err


def test_an_upload_that_was_interrupted_goes_on_in_the_next_run(
    dubflow: Program, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import httpx  # noqa: PLC0415

    large = tmp_path / "large.mp4"
    large.write_bytes(SAMPLE.read_bytes() + bytes(20 * 1024 * 1024))
    sent: list[int] = []
    original = httpx.Client.send

    def send(self: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        if request.method == "PUT":
            if len(sent) == 1:
                raise KeyboardInterrupt
            sent.append(len(request.content))
        return original(self, request, **options)

    with monkeypatch.context() as interrupted:
        interrupted.setattr(httpx.Client, "send", send)
        assert dubflow("submit", str(large), "--to", "es").code == 130
    assert ledger.jobs().jobs == ()

    def count(self: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        if request.method == "PUT":
            sent.append(len(request.content))
        return original(self, request, **options)

    monkeypatch.setattr(httpx.Client, "send", count)
    ran = dubflow("submit", str(large), "--to", "es")
    assert ran.code == 0, ran.err
    assert sum(sent) == large.stat().st_size, "nothing was sent twice"
    assert not list((tmp_path / "user" / "uploads-begun").iterdir())


def test_what_cannot_be_submitted_is_one_line(dubflow: Program, tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("no video")
    for source, languages, code, says in [
        ("missing.mp4", "es", 2, "not_found"),
        (str(text), "es", 1, "unsupported_media"),
        (str(SAMPLE), "xx-nonsense", 2, "unsupported_language"),
        ("s3://private/video.mp4", "es", 2, "not_found"),
    ]:
        ran = dubflow("submit", source, "--to", languages)
        assert (ran.code, ran.out) == (code, ""), ran
        assert ran.err.splitlines()[-1].startswith(f"dubflow: {says}: "), ran.err


def test_both_desks_show_the_same(
    dubflow: Program, ledger: Ledger, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submitted(dubflow)
    claim = ledger.claim("worker")
    assert claim is not None
    ledger.fail(claim.lease, Failure(ErrorCode.NO_AUDIO, "nothing to hear", Stage.VALIDATION))
    remote = dubflow("jobs"), dubflow("status", job_id)
    monkeypatch.delenv("DUBFLOW_SERVICE_URL")
    monkeypatch.setenv("DUBFLOW_DATABASE_URL", settings.database)
    local = dubflow("jobs"), dubflow("status", job_id)
    assert remote[0] == local[0]
    assert [ran.code for ran in (*remote, *local)] == [0, 0, 0, 0]
    for ran in (remote[1], local[1]):
        lines = ran.out.splitlines()
        assert lines[0] == f"{job_id}  failed  0 %  attempt 1  jfk.mp4"
        assert lines[1].split() == ["stage", "language", "status", "parts", "seconds"]
        assert lines[-1] == "error  no_audio: nothing to hear"
        assert lines[-3:-1] == ["es  no_audio: nothing to hear", "fr  no_audio: nothing to hear"]
    assert dubflow("retry", job_id).out.startswith(f"{job_id} uploaded")
    assert ledger.job(job_id).status is JobStatus.UPLOADED


def test_jobs_are_listed_over_pages_and_by_status(dubflow: Program, ledger: Ledger) -> None:
    first = submitted(dubflow)
    second = submitted(dubflow, "--from", "en")
    ledger.cancel(first)
    assert [json.loads(line)["job_id"] for line in dubflow("jobs", "--json").out.splitlines()] == [second, first]
    assert json.loads(dubflow("jobs", "--json", "--status", "cancelled").out)["job_id"] == first
    assert json.loads(dubflow("jobs", "--json", "--limit", "1").out)["job_id"] == second


def test_cancel_stops_a_job_and_says_where_it_cannot(dubflow: Program, ledger: Ledger, blobs: BlobStore) -> None:
    job_id = submitted(dubflow)
    assert dubflow("cancel", job_id).out == f"{job_id} cancelled\n"
    assert ledger.job(job_id).status is JobStatus.CANCELLED
    ledger.requeue(job_id)
    dub(ledger, blobs, {"srt": b"1"})
    refused = dubflow("cancel", job_id)
    assert (refused.code, refused.err.split(":")[1].strip()) == (2, "conflict")
    assert dubflow("cancel", "0" * 32).code == 2


def test_watch_follows_a_job_through_a_restart_of_the_service(
    dubflow: Program, ledger: Ledger, blobs: BlobStore, service: Served
) -> None:
    job_id = submitted(dubflow)

    def work() -> None:
        time.sleep(0.3)
        service.stop()
        time.sleep(0.3)
        service.start()
        time.sleep(0.3)
        dub(ledger, blobs, {"srt": b"1"})

    worker = threading.Thread(target=work)
    worker.start()
    ran = dubflow("watch", job_id)
    worker.join()
    assert (ran.code, ran.out) == (0, f"{job_id} completed\n"), ran.err
    lines = ran.err.splitlines()
    assert lines[0] == "jfk.mp4: 0 % uploaded"
    assert lines[-1] == "jfk.mp4: 100 % completed"
    assert len(set(lines)) == len(lines), "nothing is told twice"


def test_watch_of_a_failed_job_ends_with_its_reason(dubflow: Program, ledger: Ledger) -> None:
    job_id = submitted(dubflow)
    claim = ledger.claim("worker")
    assert claim is not None
    ledger.fail(claim.lease, Failure(ErrorCode.NO_AUDIO, "nothing to hear"))
    ran = dubflow("watch", job_id, "--json")
    assert (ran.code, ran.json["status"]) == (1, "failed")


def test_a_wrong_key_is_a_matter_of_the_environment(dubflow: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUBFLOW_API_KEY", "dub_live_wrong")
    ran = dubflow("jobs")
    assert (ran.code, ran.err.startswith("dubflow: unauthorized: ")) == (3, True)


def test_a_service_that_is_away_is_one_line(dubflow: Program, service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.cli.service_client._FIRST_PATIENCE_SECONDS", 0.0)
    service.stop()
    ran = dubflow("jobs")
    assert ran.code == 3
    assert ran.err.startswith(f"dubflow: environment: no service answers at {service.url} ")
    assert len(ran.err.splitlines()) == 1


def test_finished_files_are_downloaded_and_kept(
    dubflow: Program, ledger: Ledger, blobs: BlobStore, tmp_path: Path
) -> None:
    job_id = submitted(dubflow)
    assert dubflow("download", job_id, "-o", str(tmp_path / "out")).code == 2, "there is nothing yet"
    video = bytes(range(256)) * 80_000  # more than one slice of what the service gives at a time
    dub(ledger, blobs, {"video": video, "srt": b"1\n", "vtt": b""})
    folder = tmp_path / "out"
    ran = dubflow("download", job_id, "-o", str(folder), "--json")
    assert ran.code == 0, ran.err
    files = {(one["language"], one["type"]): Path(one["output"]) for one in map(json.loads, ran.out.splitlines())}
    assert set(files) == {(tag, kind) for tag in ("es", "fr") for kind in ("video", "srt", "vtt")}
    assert {path.name for path in folder.iterdir()} == {path.name for path in files.values()}
    assert files["fr", "video"].read_bytes() == video
    assert files["es", "srt"].read_bytes() == b"1\n"
    assert files["es", "vtt"].read_bytes() == b""

    files["es", "srt"].write_text("mine")
    again = ("download", job_id, "-o", str(folder), "--language", "es", "--type", "srt")
    assert dubflow(*again).code == 2
    assert dubflow(*again, "-n").code == 0
    assert files["es", "srt"].read_text() == "mine"
    assert dubflow(*again, "-y").code == 0
    assert files["es", "srt"].read_bytes() == b"1\n"
    assert dubflow(*again, "-y", "-n").code == 2


def test_a_tenant_s_webhook_secret_can_be_seen_and_rotated(
    dubflow: Program, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUBFLOW_DATABASE_URL", settings.database)
    first = dubflow("tenants", "webhook-secret", "ours").out
    assert first.startswith("whsec_")
    second = dubflow("tenants", "webhook-secret", "ours", "--rotate").out
    assert second != first
    assert dubflow("tenants", "webhook-secret", "ours").out == second
    assert dubflow("tenants", "webhook-secret", "no tenant").code == 2
