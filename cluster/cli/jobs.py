"""Looking at jobs and trying them again: straight from the ledger, or by asking a service."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cluster.cli.console import out, print_json, print_table
from cluster.cli.desks import open_desk
from cluster.ledger.records import JobStatus

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="A job's id, as `dubflow jobs` lists it.")]
Server = Annotated[
    str | None, typer.Option("--server", help="Ask this service instead of the database.", metavar="URL")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("jobs")(list_jobs)
    app.command("status")(show_status)
    app.command("retry")(retry_job)


def list_jobs(
    *,
    status: Annotated[JobStatus | None, typer.Option(help="Only jobs with this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    as_json: Json = False,
    server: Server = None,
) -> None:
    """List jobs, the newest first."""
    with open_desk(server) as desk:
        found = desk.jobs(status, limit)
    if as_json:
        for job in found:
            print_json(job.document)
        return
    rows = [
        [
            job.id,
            job.status,
            f"{job.progress:.0f} %",
            _when(job.created_at),
            ",".join(job.target_languages),
            job.name,
        ]
        for job in found
    ]
    print_table(["job", "status", "done", "created", "to", "source"], rows)


def show_status(job_id: JobId, *, as_json: Json = False, server: Server = None) -> None:
    """Show one job: its stages, outputs, warnings and error."""
    with open_desk(server) as desk:
        sheet = desk.job(job_id)
    job = sheet.line
    if as_json:
        print_json(job.document)
        return
    out.print(f"{job.id}  {job.status}  {job.progress:.0f} %  attempt {sheet.attempt}  {job.name}")
    print_table(["stage", "language", "status", "parts", "seconds"], [list(row) for row in sheet.stages])
    for row in sheet.outputs:
        out.print("  ".join(row))
    for what, code, message in sheet.remarks:
        out.print(f"{what}  {code}: {message}")


def retry_job(job_id: JobId, *, server: Server = None) -> None:
    """Put a failed or cancelled job back into the queue; what it finished is not made again."""
    with open_desk(server) as desk:
        job = desk.retry(job_id)
    out.print(f"{job.id} {job.status}: the next flow over this ledger works on it")


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
