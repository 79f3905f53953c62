"""Commands that need a running service: submit, watch, cancel, download."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cluster.cli.app import EXIT_FAILED
from cluster.cli.console import err, out, print_json
from cluster.cli.fetching import fetch, safe_name
from cluster.cli.jobs import JobId, Json
from cluster.cli.sending import Sender
from cluster.cli.service_client import ServiceClient, connect
from cluster.cli.transfers import transfer
from cluster.cli.watching import progress_view, watch
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.records import JobStatus
from cluster.settings import Settings

Server = Annotated[str | None, typer.Option("--server", help="Address of the service.", metavar="URL")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("submit")(submit)
    app.command("watch")(watch_job)
    app.command("cancel")(cancel)
    app.command("download")(download)


def submit(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A file, or an s3:// object.")],
    *,
    to: Annotated[list[str], typer.Option("--to", "-t", help="Target languages: es,fr", metavar="LANG[,LANG]")],
    source_language: Annotated[str, typer.Option("--from", "-s", help="Source language.", metavar="LANG")] = "auto",
    min_speakers: Annotated[int | None, typer.Option(min=1, help="At least so many people speak.")] = None,
    max_speakers: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    keep_background: Annotated[bool, typer.Option(help="Keep music and effects under the dub.")] = False,
    clone_voices: Annotated[
        bool, typer.Option("--clone-voices", help="Keep the speakers' voices; they agree.")
    ] = False,
    series: Annotated[str, typer.Option(help="Its people keep their voices.", metavar="NAME")] = "",
    review: Annotated[bool, typer.Option("--review", help="Wait for a person before anything is spoken.")] = False,
    webhook: Annotated[str | None, typer.Option(help="Whom to tell of the job's end.", metavar="URL")] = None,
    watch_it: Annotated[bool, typer.Option("--watch", help="Stay until the job has ended.")] = False,
    as_json: Json = False,
    server: Server = None,
) -> int:
    """Give a service something to dub; an upload that was interrupted goes on where it stopped."""
    options = {
        "min_speakers": min_speakers,
        "max_speakers": max_speakers,
        "keep_background": keep_background,
        "clone_voices": clone_voices,
        "series": series or None,
    }
    order = {
        "source_language": source_language,
        "target_languages": [tag.strip() for tags in to for tag in tags.split(",") if tag.strip()],
        "options": {name: value for name, value in options.items() if value is not None},
        "webhook_url": webhook,
        "review": review,
    }
    with connect(server) as client:
        accepted = _submit(client, source, order)
        if not watch_it:
            print_json(accepted) if as_json else out.print(f"{accepted['job_id']} {accepted['status']}")
            return 0
        err.print(f"job {accepted['job_id']}")
        return _watch(client, accepted["job_id"], as_json=as_json)


def watch_job(job_id: JobId, *, as_json: Json = False, server: Server = None) -> int:
    """Follow a job until it has ended."""
    with connect(server) as client:
        return _watch(client, job_id, as_json=as_json)


def cancel(job_id: JobId, *, as_json: Json = False, server: Server = None) -> None:
    """Stop a job for good; `dubflow retry` puts it back into the queue."""
    with connect(server) as client:
        answer = client.post(f"/jobs/{job_id}/cancel")
    print_json(answer) if as_json else out.print(f"{job_id} {answer['status']}")


def download(
    job_id: JobId,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path(),
    language: Annotated[list[str] | None, typer.Option("--language", "-l", help="Only this language.")] = None,
    kind: Annotated[
        list[str] | None, typer.Option("--type", help="Only this type: video, audio, srt, vtt, script.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("-y", help="Overwrite files that exist.")] = False,
    skip: Annotated[bool, typer.Option("-n", help="Leave files that exist, without an error.")] = False,
    as_json: Json = False,
    server: Server = None,
) -> int:
    """Fetch the files of a job; a download that was interrupted goes on where it stopped."""
    if overwrite and skip:
        raise DubflowError(ErrorCode.INVALID_REQUEST, "-y and -n exclude each other; give one of them")
    with connect(server) as client:
        job = client.get(f"/jobs/{job_id}/status")
        chosen = list(_chosen(job, language, kind))
        if not chosen:
            raise DubflowError(ErrorCode.NOT_FOUND, f"job {job_id} is {job['status']} and has no such file (yet)")
        output.mkdir(parents=True, exist_ok=True)
        for tag, type_ in chosen:
            place = client.get(f"/jobs/{job_id}/download", language=tag, type=type_)
            target = output / safe_name(place["filename"])
            if not (target.exists() and skip):
                _fetch(client, place, target, overwrite=overwrite)
            record = {"language": tag, "type": type_, "output": str(target)}
            print_json(record) if as_json else out.print(str(target))
    return 0 if job["status"] == JobStatus.COMPLETED else EXIT_FAILED


def _submit(client: ServiceClient, source: str, order: dict[str, Any]) -> dict[str, Any]:
    if source.startswith("s3://"):
        return client.post("/jobs", {"source": {"uri": source}, **order})
    path = Path(source)
    if not path.is_file():
        raise DubflowError(ErrorCode.NOT_FOUND, f"there is no file {source}")
    sender = Sender(client, Settings().home / "uploads-begun")
    with transfer(err, path.name, path.stat().st_size) as tell:
        upload_id = sender.send(path, tell)
    accepted = client.post("/jobs", {"source": {"upload_id": upload_id}, **order})
    sender.forget(path)
    return accepted


def _watch(client: ServiceClient, job_id: str, *, as_json: bool) -> int:
    with progress_view(err) as show:
        known = watch(client, job_id, show)
    job = client.get(f"/jobs/{job_id}/status")
    if as_json:
        print_json(job)
    else:
        out.print(f"{job_id} {known.status}")
        for warning in job["warnings"]:
            err.print(f"warning  {warning['code']}: {warning['message']}")
        for failed in (one["error"] for one in (job, *job["outputs"]) if one["error"]):
            err.print(f"error  {failed['code']}: {failed['message']}")
    whole = known.status == JobStatus.AWAITING_REVIEW or all(one["status"] == "completed" for one in job["outputs"])
    return 0 if known.status in {JobStatus.COMPLETED, JobStatus.AWAITING_REVIEW} and whole else EXIT_FAILED


def _chosen(job: dict[str, Any], languages: list[str] | None, kinds: list[str] | None) -> Iterator[tuple[str, str]]:
    for one in job["outputs"]:
        for file in one["files"]:
            if (not languages or one["language"] in languages) and (not kinds or file["type"] in kinds):
                yield one["language"], file["type"]


def _fetch(client: ServiceClient, place: dict[str, Any], target: Path, *, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise DubflowError(ErrorCode.CONFLICT, f"{target} exists; -y overwrites it, -n leaves it")
    if not place["file_size"]:
        target.write_bytes(b"")
        return
    with transfer(err, target.name, place["file_size"]) as tell:
        fetch(client, place["download_url"], target, tell)
