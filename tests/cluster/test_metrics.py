"""What operators see: the real export of a real Ray on this machine."""

import os
import re
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.batcher import Batch
from cluster import metrics
from cluster.ledger.ledger import Ledger
from cluster.ray_runtime import ray_cluster
from cluster.settings import Settings
from tests.fixtures.ledgers import request
from tests.fixtures.processes import PROCESSES

EXPECTED = (
    r'ray_dubflow_jobs{.*status="uploaded".*} 2\.0',
    r'ray_dubflow_queue_depth{.*priority="interactive".*} 2\.0',
    r'ray_dubflow_queue_depth{.*priority="bulk".*} 0\.0',
    r'ray_dubflow_queue_age_seconds{.*priority="interactive".*}',
    r'ray_dubflow_outputs_total{.*language="es".*status="completed".*} 1\.0',
    r'ray_dubflow_errors_total{.*code="engine_failed".*where="synthesis".*} 2\.0',
    r'ray_dubflow_stage_seconds_bucket{.*stage="synthesis".*}',
    r'ray_dubflow_stage_seconds_count{.*stage="synthesis".*} 2\.0',
    r'ray_dubflow_batch_fill_count{.*capability="speech".*} 1\.0',
    r'ray_dubflow_batch_size_count{.*capability="speech".*} 1\.0',
    r'ray_dubflow_engine_seconds_total{.*capability="speech".*} 2\.0',
    r'ray_dubflow_gpu_seconds_total{.*capability="speech".*} 0\.5',
    r"ray_dubflow_media_seconds_total{.*} 3600\.0",
    r"ray_dubflow_upload_bytes_total{.*} 1000\.0",
    r'ray_dubflow_watchers{.*transport="sse".*} 3\.0',
)
EXPORT_SECONDS = 60.0


def test_a_process_without_ray_counts_nothing_and_does_not_load_it() -> None:
    assert run(count_without_ray, Path()) == 0


@pytest.mark.timeout(240)
def test_everything_appears_in_ray_s_own_export(tmp_path: Path, sqlite_url: str) -> None:
    ledger = Ledger(sqlite_url)
    for name in ("a", "b"):
        ledger.submit(request(name))
    ledger.close()

    assert run(count_with_ray, tmp_path, sqlite_url) == 0, (tmp_path / "missing").read_text()


def run(target: Callable[..., None], *arguments: object) -> int | None:
    """In a process of its own: Ray reads its environment when it is imported, and does so once."""
    process = PROCESSES.Process(target=target, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def count_without_ray(_folder: Path) -> None:
    sys.modules.pop("ray", None)
    metrics.UPLOAD_BYTES.add(1)
    metrics.WATCHERS.set(1, transport="sse")
    metrics.STAGE_SECONDS.observe(1.0, stage="synthesis")
    assert metrics.gpu_share() == 0.0
    assert "ray" not in sys.modules


def count_with_ray(folder: Path, database_url: str) -> None:
    # A machine that tests other things as well is slow.
    os.environ["RAY_raylet_start_wait_time_s"] = "120"  # noqa: SIM112 - Ray spells it so
    settings = Settings(_env_file=None, home=folder, database_url=database_url)  # type: ignore[call-arg]
    with ray_cluster(settings):
        import ray  # noqa: PLC0415 - it reads its environment, which is only now as it should be

        count(Ledger(database_url))
        address = f"http://127.0.0.1:{ray.nodes()[0]['MetricsExportPort']}/metrics"
        missing = wait_for(address)
    (folder / "missing").write_text("\n".join(missing))
    sys.exit(bool(missing))


def count(ledger: Ledger) -> None:
    metrics.queue_gauges(ledger)
    metrics.OUTPUTS.add(status="completed", language="es")
    for _ in range(2):
        metrics.ERRORS.add(code="engine_failed", where="synthesis")
        metrics.STAGE_SECONDS.observe(2.0, stage="synthesis")
    batch = Batch(requests=2, fill=0.5, seconds=2.0)
    metrics.BATCH_FILL.observe(batch.fill, capability="speech")
    metrics.BATCH_SIZE.observe(batch.requests, capability="speech")
    metrics.ENGINE_SECONDS.add(batch.seconds, capability="speech")
    metrics.GPU_SECONDS.add(batch.seconds * 0.25, capability="speech")
    metrics.MEDIA_SECONDS.add(3600.0)
    metrics.UPLOAD_BYTES.add(1000)
    metrics.WATCHERS.set(3, transport="sse")


def wait_for(address: str) -> list[str]:
    """What is still missing from the export after a while."""
    deadline = time.monotonic() + EXPORT_SECONDS
    missing = list(EXPECTED)
    while missing and time.monotonic() < deadline:
        time.sleep(0.5)
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            continue  # its agent is still starting
        missing = [pattern for pattern in missing if not re.search(pattern, text)]
    return missing
