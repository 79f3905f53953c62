"""What a thousand watchers cost one replica: memory of each, delay from an event to its clients, reads of the database.

    python benchmarks/watchers.py [--json FILE] [--watchers N] [--seconds S]

The application runs in a process of its own behind uvicorn on loopback; half of the clients hold a WebSocket, half an
event stream. All clients live in this process, so part of the delay is theirs.
"""

import argparse
import asyncio
import json
import resource
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import psutil
import uvicorn
from sqlalchemy import Connection
from websockets.asyncio.client import connect

from benchmarks.keeping import keep
from cluster.ledger.database import Database
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import JobRequest, Lease, PartId, Stage
from cluster.ledger.schema import upgrade
from cluster.settings import Settings
from serve_apps.application import create_app
from tests.fixtures.postgres import PostgresServer

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

SPAWN = get_context("spawn")
EVENTS_A_SECOND = 5
CONNECTING_AT_ONCE = 50
SETTLE_SECONDS = 3.0


@dataclass(frozen=True)
class Measurement:
    """One run; delays from the commit of an event on the database's clock to its arrival, in milliseconds."""

    database: str
    watchers: int
    jobs: int
    kilobytes_a_watcher: float
    delay_median_ms: float
    delay_p99_ms: float
    reads_a_second_idle: float
    reads_a_second_busy: float
    messages_a_second: float


def main() -> None:
    options = arguments()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 8 * options.watchers), hard), hard))
    with tempfile.TemporaryDirectory() as folder, databases(Path(folder)) as urls:
        results = [
            asyncio.run(measure(name, url, Path(folder), jobs, options)) for name, url in urls for jobs in (1, 100)
        ]
    print_table(results)
    keep(results, options.json)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the results there")
    parser.add_argument("--watchers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0, help="of events, for each run")
    return parser.parse_args()


@contextmanager
def databases(folder: Path) -> Iterator[list[tuple[str, str]]]:
    server = PostgresServer(durable=True)
    try:
        server.start()
        urls = [("sqlite", f"sqlite:///{folder / 'ledger.sqlite'}"), ("postgresql", server.url())]
        for _, url in urls:
            upgrade(url)
        yield urls
    finally:
        server.remove()


async def measure(name: str, url: str, folder: Path, jobs: int, options: argparse.Namespace) -> Measurement:
    watchers, seconds = options.watchers, options.seconds
    ledger = Ledger(url)
    leases = [claimed(ledger, f"{jobs}-{number}") for number in range(jobs)]
    with served(url, folder) as (host, process, reads):
        await warm_up(host, leases[0].job_id)
        before = process.memory_info().rss
        clients = Clients(host)
        async with clients.opened([leases[number % jobs].job_id for number in range(watchers)]):
            await asyncio.sleep(SETTLE_SECONDS)
            memory = process.memory_info().rss - before
            idle = await rate(reads, lambda: asyncio.sleep(SETTLE_SECONDS))
            clients.delays.clear()
            busy = await rate(reads, lambda: asyncio.to_thread(work, ledger, leases, seconds))
            await asyncio.sleep(SETTLE_SECONDS)
    for lease in leases:
        ledger.cancel(lease.job_id)
    ledger.close()
    delays = sorted(clients.delays)
    return Measurement(
        database=name,
        watchers=watchers,
        jobs=jobs,
        kilobytes_a_watcher=memory / watchers / 1024,
        delay_median_ms=1000 * median(delays),
        delay_p99_ms=1000 * quantiles(delays, n=100)[-1],
        reads_a_second_idle=idle,
        reads_a_second_busy=busy,
        messages_a_second=len(delays) / seconds,
    )


def claimed(ledger: Ledger, name: str) -> Lease:
    ledger.submit(JobRequest(f"s3://videos/{name}.mp4", "etag", ("es",), "s3://dubbed", name))
    claim = ledger.claim("benchmark")
    if claim is None:
        raise RuntimeError("the job that was just submitted is not in the queue")
    ledger.expect(claim.lease, Stage.TRANSCRIPTION, "", 100)
    return claim.lease


def work(ledger: Ledger, leases: list[Lease], seconds: float) -> None:
    """A few events a second, each one per cent of a stage, job after job."""
    for number in range(int(seconds * EVENTS_A_SECOND)):
        part = PartId(Stage.TRANSCRIPTION, number // len(leases))
        ledger.finish(leases[number % len(leases)], part, "key", seconds=1.0)
        time.sleep(1 / EVENTS_A_SECOND)


async def rate(count: "Synchronized[int]", during: Callable[[], Any]) -> float:
    began, before = time.monotonic(), count.value
    await during()
    return (count.value - before) / (time.monotonic() - began)


class Clients:
    """Everybody who watches; each event that arrives adds a delay."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._connecting = asyncio.Semaphore(CONNECTING_AT_ONCE)
        self.delays: list[float] = []

    @asynccontextmanager
    async def opened(self, job_ids: list[str]) -> AsyncIterator[None]:
        """All connected, each to its job, for as long as the context lasts."""
        ready = asyncio.Semaphore(0)
        kinds = (self._by_stream, self._by_socket)
        tasks = [asyncio.create_task(kinds[number % 2](job_id, ready)) for number, job_id in enumerate(job_ids)]
        try:
            for _ in tasks:
                await ready.acquire()
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _by_socket(self, job_id: str, ready: asyncio.Semaphore) -> None:
        async with self._connecting:
            connection = await connect(f"ws://{self._host}/api/v1/jobs/{job_id}/progress", compression=None)
            await connection.recv()
        ready.release()
        async for message in connection:
            self._arrived(message)

    async def _by_stream(self, job_id: str, ready: asyncio.Semaphore) -> None:
        host, port = self._host.split(":")
        async with self._connecting:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET /api/v1/jobs/{job_id}/events HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
            await reader.readuntil(b"data: ")
        ready.release()
        while line := await reader.readline():
            if line.startswith(b"data: "):
                self._arrived(line[6:])

    def _arrived(self, message: str | bytes) -> None:
        told = json.loads(message)
        if told["type"] == "event":
            self.delays.append(time.time() - datetime.fromisoformat(told["at"]).timestamp())


async def warm_up(host: str, job_id: str) -> None:
    """Let the replica load what it loads at its first requests."""
    clients = Clients(host)
    async with clients.opened([job_id] * 20):
        await asyncio.sleep(1.0)
    await asyncio.sleep(1.0)


@contextmanager
def served(url: str, folder: Path) -> Iterator[tuple[str, psutil.Process, "Synchronized[int]"]]:
    reads = SPAWN.Value("q", 0)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = SPAWN.Process(target=serve, args=(url, folder, port, reads), daemon=True)
    process.start()
    try:
        wait_for(port)
        yield f"127.0.0.1:{port}", psutil.Process(process.pid), reads
    finally:
        process.terminate()
        process.join()


def serve(url: str, folder: Path, port: int, reads: "Synchronized[int]") -> None:
    """In the replica's process: the application, with its transactions counted."""
    run = Database._run  # noqa: SLF001 - counting is no business of the ledger's

    def counted(self: Database, work: Callable[[Connection], Any], mode: str) -> Any:
        with reads.get_lock():
            reads.value += 1
        return run(self, work, mode)

    Database._run = counted  # type: ignore[method-assign] # noqa: SLF001 - as above
    settings = Settings(_env_file=None, home=folder, database_url=url, max_watchers_per_key=100_000)  # type: ignore[call-arg]
    uvicorn.run(
        create_app(settings),
        host="127.0.0.1",
        port=port,
        log_level="critical",
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
    )


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def print_table(results: list[Measurement]) -> None:
    print(
        f"{'database':<12}{'watchers':>9}{'jobs':>6}{'KB each':>9}{'delay ms':>10}{'p99 ms':>9}"
        f"{'reads/s idle':>14}{'busy':>8}{'messages/s':>12}"
    )
    for one in results:
        print(
            f"{one.database:<12}{one.watchers:>9}{one.jobs:>6}{one.kilobytes_a_watcher:>9.0f}{one.delay_median_ms:>10.0f}"
            f"{one.delay_p99_ms:>9.0f}{one.reads_a_second_idle:>14.1f}{one.reads_a_second_busy:>8.1f}"
            f"{one.messages_a_second:>12.0f}"
        )


if __name__ == "__main__":
    main()
