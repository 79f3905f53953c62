"""Watching a job of a service: every message once, through lost connections and restarts, until the job has ended."""

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cluster.cli.service_client import ServiceClient
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.records import JobStatus

_TRIES = 20
_SILENT_SECONDS = 60.0
"""The service says something every quarter of a minute; after this the connection is taken for dead."""


@dataclass(slots=True)
class Watched:
    """What is known of a job so far."""

    name: str = ""
    status: str = JobStatus.UPLOADED
    progress: float = 0.0
    stage: str = ""
    estimated_completion: str | None = None
    warnings: list[dict[str, str]] = field(default_factory=list)

    def over(self) -> bool:
        """True once nothing more happens by itself."""
        return JobStatus(self.status).terminal or self.status == JobStatus.AWAITING_REVIEW

    def take(self, message: dict[str, Any]) -> None:
        """Learn from a message: the whole state of the job, or something that changed."""
        if message["type"] == "snapshot":
            job = message["job"]
            self.name, self.status, self.progress = job["name"], job["status"], job["progress"]
            self.stage, self.estimated_completion = job["current_stage"] or "", job["estimated_completion"]
            self.warnings = list(job["warnings"])
            return
        data = message["data"]
        self.estimated_completion = message.get("estimated_completion", self.estimated_completion)
        self.progress = data.get("progress", self.progress)
        match message["kind"]:
            case "job":
                self.status = data["status"]
            case "stage":
                self.stage = data["stage"]
            case "warning":
                self.warnings.append({"code": data["code"], "message": data["message"]})


def watch(client: ServiceClient, job_id: str, show: Callable[[Watched], None]) -> Watched:
    """Follow a job until it has ended or waits for a person; returns what is known of it then.

    Raises:
        DubflowError: What the service says; `environment` where it does not come back.
    """
    known, seen, fruitless = Watched(), None, 0
    while not known.over():
        had = seen
        try:
            with closing(_messages(client, job_id, seen)) as messages:
                for message in messages:
                    known.take(message)
                    seen = message["seq"]
                    show(known)
                    if known.over():
                        break
        except httpx.TransportError as error:
            if fruitless == _TRIES:
                raise DubflowError(ErrorCode.ENVIRONMENT, f"the connection breaks again and again ({error})") from error
        fruitless = 0 if seen != had else fruitless + 1
        if not known.over():
            client.wait(fruitless)
    return known


@contextmanager
def progress_view(console: Console) -> Iterator[Callable[[Watched], None]]:
    """Shows a job on stderr: a bar on a terminal, a line whenever it gets to another stage elsewhere."""
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(30),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[at]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), TextColumn("{task.fields[left]}"), console=console) as bars:
        task = bars.add_task("", total=100, at="", left="")

        def show(job: Watched) -> None:
            bars.update(task, description=job.name, completed=job.progress, at=_at(job), left=_left(job))

        yield show


def _messages(client: ServiceClient, job_id: str, seen: int | None) -> Generator[dict[str, Any]]:
    headers = {"Accept": "text/event-stream"} | ({} if seen is None else {"Last-Event-ID": str(seen)})
    with client.stream(f"/jobs/{job_id}/events", headers=headers, timeout=httpx.Timeout(_SILENT_SECONDS)) as answer:
        if answer.status_code == HTTPStatus.NO_CONTENT:
            return
        for data in server_sent(answer.iter_bytes()):
            yield json.loads(data)


def server_sent(pieces: Iterator[bytes]) -> Iterator[str]:
    """The data of server-sent events; what is cut off at the end is none."""
    buffer, data = b"", list[str]()
    for piece in pieces:
        # Not `splitlines`, which takes characters for line ends that JSON may have inside its texts.
        *lines, buffer = (buffer + piece).split(b"\n")
        for line in (line.removesuffix(b"\r").decode() for line in lines):
            if line.startswith("data:"):
                data.append(line.removeprefix("data:").removeprefix(" "))
            elif not line and data:
                yield "\n".join(data)
                data = []


def _lines(console: Console) -> Callable[[Watched], None]:
    shown = ""

    def show(job: Watched) -> None:
        nonlocal shown
        if (now := _at(job)) != shown:
            shown = now
            console.print(f"{job.name}: {job.progress:.0f} % {now}")

    return show


def _at(job: Watched) -> str:
    return (job.stage if job.status == JobStatus.PROCESSING and job.stage else job.status).replace("_", " ")


def _left(job: Watched) -> str:
    if job.over() or job.estimated_completion is None:
        return ""
    seconds = (datetime.fromisoformat(job.estimated_completion) - datetime.now(UTC)).total_seconds()
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    return f"about {minutes} min {rest:02d} s left" if minutes else f"about {rest} s left"
