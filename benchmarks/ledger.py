"""How fast the ledger is: claims, begins and finishes a second on both databases, from one process and from four.

    python benchmarks/ledger.py [--json FILE] [--folder FOLDER]

PostgreSQL's server is started for the run, flushing to disk as a real one does; both databases live in FOLDER.
"""

import argparse
import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.pool import Pool
from multiprocessing.synchronize import Barrier
from pathlib import Path

from benchmarks.keeping import keep
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import JobRequest, Lease, PartId, Stage
from cluster.ledger.schema import upgrade
from tests.fixtures.postgres import PostgresServer

JOBS = 400
PARTS = 400
COMMITS = 500
PROCESSES = (1, 4)


@dataclass(frozen=True)
class Measurement:
    """Operations a second of all processes together."""

    database: str
    operation: str
    processes: int
    per_second: float


@dataclass(frozen=True)
class Span:
    """What one process did, on the clock that all processes of a machine share."""

    began: float
    ended: float
    operations: int


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, databases(Path(folder)) as urls:
        results = [*measure_commits(Path(folder)), *(found for name, url in urls for found in measure(name, url))]
    print_table(results)
    keep(results, options.json)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the results there")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; by default the system's temporary folder")
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


def measure_commits(folder: Path) -> Iterator[Measurement]:
    """What SQLite's own commits cost, without anything of ours: FULL flushes each one, NORMAL does not."""
    for mode in ("FULL", "NORMAL"):
        connection = sqlite3.connect(folder / f"{mode}.sqlite", isolation_level=None)
        for pragma in ("journal_mode=WAL", f"synchronous={mode}"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE numbers (number INTEGER)")
        began = time.monotonic()
        for number in range(COMMITS):
            connection.execute("INSERT INTO numbers VALUES (?)", (number,))
        seconds = time.monotonic() - began
        connection.close()
        yield Measurement("sqlite", f"bare commit, synchronous={mode}", 1, COMMITS / seconds)


def measure(name: str, url: str) -> Iterator[Measurement]:
    ledger = Ledger(url)
    began = time.monotonic()
    submit(ledger, "submitted")
    yield Measurement(name, "submit", 1, JOBS / (time.monotonic() - began))
    for processes in PROCESSES:
        submit(ledger, f"claimed by {processes}")
        yield Measurement(name, "claim", processes, rate(claim_all, url, [()] * processes))
        leases = [lease_of(ledger, f"{processes}-{number}") for number in range(processes)]
        yield Measurement(
            name, "begin + finish, a job each", processes, rate(work, url, [(lease, 0) for lease in leases])
        )
        shared = lease_of(ledger, f"shared by {processes}")
        spans = [(shared, number * PARTS) for number in range(processes)]
        yield Measurement(name, "begin + finish, one job", processes, rate(work, url, spans))
        yield Measurement(name, "claim, empty queue", processes, rate(claim_nothing, url, [()] * processes))
    ledger.close()


def submit(ledger: Ledger, name: str) -> None:
    for number in range(JOBS):
        ledger.submit(request(f"{name}/{number}"))


def lease_of(ledger: Ledger, name: str) -> Lease:
    ledger.submit(request(name))
    claim = ledger.claim("benchmark")
    if claim is None:
        raise RuntimeError("the job that was just submitted is not in the queue")
    return claim.lease


def request(name: str) -> JobRequest:
    return JobRequest(f"s3://videos/{name}.mp4", "etag", ("es",), "s3://dubbed", name)


def rate(function: Callable[..., Span], url: str, calls: list[tuple[object, ...]]) -> float:
    """Run the function in one process for each call, all starting together."""
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(len(calls))
    with spawn.Pool(len(calls), initializer=remember, initargs=(start,)) as pool:
        spans = run_each_once(pool, function, url, calls)
    seconds = max(span.ended for span in spans) - min(span.began for span in spans)
    return sum(span.operations for span in spans) / seconds


def run_each_once(pool: Pool, function: Callable[..., Span], url: str, calls: list[tuple[object, ...]]) -> list[Span]:
    return [answer.get() for answer in [pool.apply_async(function, (url, *call)) for call in calls]]


def remember(start: Barrier) -> None:
    globals()["start_together"] = start.wait


def claim_all(url: str) -> Span:
    ledger = Ledger(url)
    globals()["start_together"]()
    began, operations = time.monotonic(), 0
    while ledger.claim("benchmark") is not None:
        operations += 1
    return Span(began, time.monotonic(), operations)


def claim_nothing(url: str) -> Span:
    ledger = Ledger(url)
    globals()["start_together"]()
    began = time.monotonic()
    for _ in range(PARTS):
        ledger.claim("benchmark")
    return Span(began, time.monotonic(), PARTS)


def work(url: str, lease: Lease, first: int) -> Span:
    ledger = Ledger(url)
    globals()["start_together"]()
    began = time.monotonic()
    for index in range(first, first + PARTS):
        part = PartId(Stage.TRANSCRIPTION, index)
        ledger.begin(lease, part, "key")
        ledger.finish(lease, part, "key", seconds=1.0)
    return Span(began, time.monotonic(), PARTS)


def print_table(results: list[Measurement]) -> None:
    print(f"{'database':<12}{'operation':<34}{'processes':>10}{'a second':>12}")
    for result in results:
        print(f"{result.database:<12}{result.operation:<34}{result.processes:>10}{result.per_second:>12.0f}")


if __name__ == "__main__":
    main()
