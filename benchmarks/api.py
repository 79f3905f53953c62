"""What the doors bear while the flow has the whole machine: requests a second, p99, and memory under slow clients.

One `dubflow serve` over SQLite and a folder, on loopback; the clients run on the same machine and take their share.
Calls are measured twice: with nothing to do, and with more films queued than the flow can dub meanwhile. Then half of
the slow clients send a large file each and half fetch one, each at its own low pace; nobody finishes, for what counts
is what a process holds for them meanwhile.

Example:
    python -m benchmarks.api --json benchmarks/results/api.json
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import httpx
import psutil

from benchmarks.keeping import keep
from cluster import layout
from cluster.blobs.local import LocalBlobs
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import JobRequest, JobStatus
from cluster.sources import describe_source
from tests.fixtures.services import Service, running_service

API = "/api/v1"
CLIP = Path(__file__).parent.parent / "samples" / "jfk.mp4"
MIB = 1024 * 1024
LARGE_BYTES = 200 * MIB - MIB
"""A little less than `POST /upload` takes."""
PIECE_BYTES = 64 * 1024
BOUND_MIB = 256.0
"""What one process may grow by under the slow clients; the files of all of them have forty times as much."""
SAMPLE_SECONDS = 0.2
PATIENCE_SECONDS = 300.0

Call = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]


@dataclass(frozen=True, slots=True)
class Rate:
    """One call made by many clients without pause; times in milliseconds."""

    call: str
    flow: str
    clients: int
    requests_a_second: float
    median_ms: float
    p99_ms: float
    failed: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What one process holds at most beyond what it held before, in MiB of its own memory."""

    process: str
    before: float
    growth: float


def main() -> int:
    options = arguments()
    with (
        tempfile.TemporaryDirectory(prefix="df-") as folder,
        running_service(Path(folder), profile="lite") as service,
    ):
        rates, processing = asyncio.run(rates_of(service, options))
        memory, moved = asyncio.run(memory_of(service, options))
    report(rates, memory, moved, processing)
    keep({"rates": rates, "memory": memory, "bound_mib": BOUND_MIB, "moved_mib": moved}, options.json)
    return int(max(one.growth for one in memory) > BOUND_MIB)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--seconds", type=float, default=15.0, help="for each call, and for the slow clients")
    parser.add_argument("--clients", type=int, default=16, help="that make one call after the other")
    parser.add_argument("--slow", type=int, default=100, help="slow clients, half of them in each direction")
    parser.add_argument("--pace", type=float, default=256.0, help="of a slow client, in KiB a second")
    parser.add_argument("--films", type=int, default=60, help="queued before calls are measured again")
    return parser.parse_args()


async def rates_of(service: Service, options: argparse.Namespace) -> tuple[list[Rate], int]:
    """Both calls, idle and busy; and how many films were still to be dubbed when the last call was measured."""
    async with client_of(service, options.clients) as client:
        job_id = await dubbed(client)

        async def status(client: httpx.AsyncClient) -> httpx.Response:
            return await client.get(f"{API}/jobs/{job_id}/status")

        async def create(client: httpx.AsyncClient) -> httpx.Response:
            return await client.post(f"{API}/uploads", json={"name": "film.mp4", "size": LARGE_BYTES})

        calls: dict[str, Call] = {"status": status, "upload-create": create}
        rates = [await rate(client, name, call, "idle", options) for name, call in calls.items()]
        await asyncio.gather(*(send_film(client) for _ in range(options.films)))
        rates += [await rate(client, name, call, "saturated", options) for name, call in calls.items()]
        waiting = await cancel_all(client)
    return rates, waiting


async def rate(client: httpx.AsyncClient, name: str, call: Call, flow: str, options: argparse.Namespace) -> Rate:
    times: list[float] = []
    failed = 0
    end = time.monotonic() + options.seconds

    async def work() -> None:
        nonlocal failed
        while (began := time.monotonic()) < end:
            answer = await call(client)
            times.append(1000 * (time.monotonic() - began))
            failed += not answer.is_success

    began = time.monotonic()
    await asyncio.gather(*(work() for _ in range(options.clients)))
    seconds = time.monotonic() - began
    return Rate(
        call=name,
        flow=flow,
        clients=options.clients,
        requests_a_second=len(times) / seconds,
        median_ms=median(times),
        p99_ms=quantiles(times, n=100)[-1],
        failed=failed,
    )


async def send_film(client: httpx.AsyncClient) -> str:
    form = {"source_language": "en", "target_language": "es"}
    answer = await client.post(f"{API}/upload", files={"file": (CLIP.name, CLIP.read_bytes())}, data=form)
    answer.raise_for_status()
    job_id: str = answer.json()["job_id"]
    return job_id


async def dubbed(client: httpx.AsyncClient) -> str:
    """A finished job: from then on all engines are loaded."""
    job_id = await send_film(client)
    while (status := (await client.get(f"{API}/jobs/{job_id}/status")).json()["status"]) != "completed":
        if status == "failed":
            sys.exit("the clip was not dubbed")
        await asyncio.sleep(0.5)
    return job_id


async def cancel_all(client: httpx.AsyncClient) -> int:
    """Cancel what is not over yet; how much that was."""
    waiting = 0
    for status in ("uploaded", "processing"):
        for job in (await client.get(f"{API}/jobs", params={"status": status, "limit": 100})).json()["items"]:
            waiting += (await client.post(f"{API}/jobs/{job['job_id']}/cancel")).is_success
    return waiting


async def memory_of(service: Service, options: argparse.Namespace) -> tuple[list[Memory], float]:
    """What each process of the doors grew by, and how many MiB the slow clients moved meanwhile."""
    half, pace = options.slow // 2, options.pace * 1024
    async with client_of(service, options.slow) as client:
        link = large_link(service)
        address = (await client.get(f"{API}/jobs/{link}/download", params={"type": "source"})).json()["download_url"]
        processes = doors_of(service)
        before = {name: own_bytes(process) for name, process in processes.items()}
        most = dict(before)
        moved = [0]
        end = time.monotonic() + options.seconds
        slow = [asyncio.create_task(slow_upload(client, pace, end, moved)) for _ in range(half)]
        slow += [asyncio.create_task(slow_download(client, address, pace, end, moved)) for _ in range(half)]
        while time.monotonic() < end:
            await asyncio.sleep(SAMPLE_SECONDS)
            for name, process in processes.items():
                most[name] = max(most[name], own_bytes(process))
        for error in await asyncio.gather(*slow, return_exceptions=True):
            if isinstance(error, Exception) and not isinstance(error, httpx.TransportError):
                raise error
    growth = [Memory(name, before[name] / MIB, (most[name] - before[name]) / MIB) for name in processes]
    return growth, moved[0] / MIB


def large_link(service: Service) -> str:
    """A job whose source is a large file, which nobody has to dub."""
    blobs, ledger = LocalBlobs(service.home / "blobs"), Ledger(f"sqlite:///{service.home / 'ledger.sqlite'}")
    key = f"{layout.upload('default', '0' * 32)}/source.mp4"
    blobs.put_bytes(key, CLIP.read_bytes())
    os.truncate(blobs.local_path(key), LARGE_BYTES)
    source = describe_source(blobs.uri(key))
    job = ledger.submit(JobRequest(source.uri, source.version, ("es",), blobs.uri("results/default/none"), "large"))
    if ledger.job(job.id).status is not JobStatus.COMPLETED:
        ledger.cancel(job.id)
    ledger.close()
    return job.id


async def slow_upload(client: httpx.AsyncClient, pace: float, end: float, moved: list[int]) -> None:
    boundary = "boundary"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="film.mp4"\r\n\r\n'.encode()
    tail = f"\r\n--{boundary}--\r\n".encode()

    async def body() -> AsyncIterator[bytes]:
        yield head + CLIP.read_bytes()[:PIECE_BYTES]
        while time.monotonic() < end:
            yield bytes(PIECE_BYTES)
            moved[0] += PIECE_BYTES
            await asyncio.sleep(PIECE_BYTES / pace)
        raise httpx.WriteError("enough")

    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(len(head) + LARGE_BYTES + len(tail)),
    }
    await client.post(f"{API}/upload", content=body(), headers=headers)


async def slow_download(client: httpx.AsyncClient, address: str, pace: float, end: float, moved: list[int]) -> None:
    async with client.stream("GET", address) as answer:
        answer.raise_for_status()
        async for piece in answer.aiter_raw(PIECE_BYTES):
            moved[0] += len(piece)
            if time.monotonic() > end:
                return
            await asyncio.sleep(len(piece) / pace)


def client_of(service: Service, connections: int) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(base_url=service.url, timeout=PATIENCE_SECONDS, limits=limits, trust_env=False)


def doors_of(service: Service) -> dict[str, psutil.Process]:
    """The replicas and the proxy before them."""
    named = {f"replica {number}": one for number, one in enumerate(service.replicas(), start=1)}
    family = service.process.children(recursive=True)
    return named | {"proxy": next(one for one in family if "ray::ProxyActor" in " ".join(one.cmdline()))}


def own_bytes(process: psutil.Process) -> int:
    """Resident memory that it shares with nobody: Ray maps its object store into every process."""
    info = process.memory_info()
    return int(info.rss - info.shared)


def report(rates: list[Rate], memory: list[Memory], moved: float, processing: int) -> None:
    print(f"{'call':<15}{'flow':<11}{'clients':>8}{'req/s':>8}{'median ms':>11}{'p99 ms':>9}{'failed':>8}")
    for one in rates:
        print(
            f"{one.call:<15}{one.flow:<11}{one.clients:>8}{one.requests_a_second:>8.0f}{one.median_ms:>11.1f}"
            f"{one.p99_ms:>9.1f}{one.failed:>8}"
        )
    print(f"\nfilms not dubbed yet at the end of the calls: {processing}")
    print(f"slow clients moved {moved:.0f} MiB\n\n{'process':<12}{'before MiB':>11}{'growth MiB':>11}")
    for held in memory:
        verdict = "PASS" if held.growth <= BOUND_MIB else "FAIL"
        print(f"{held.process:<12}{held.before:>11.0f}{held.growth:>11.1f}   at most {BOUND_MIB:.0f}: {verdict}")


if __name__ == "__main__":
    sys.exit(main())
