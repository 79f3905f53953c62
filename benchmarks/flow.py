"""How busy the flow keeps its slowest pool, and both cores of a small machine with the embedded engines.

Two measurements, both in the steady state: between the first and the last tenth of completions.

* `simulated`: engines that only wait, with heavy-tailed service times, over 300 scenes and more of mixed videos. The
  throughput of the flow is compared with what its slowest pool could do alone.
* `lite`: the real embedded engines on real speech. The share of all usable processors that is busy.

Example:
    python benchmarks/flow.py --json benchmarks/results/flow.json
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil

from actors.contracts.audio import ANALYSIS_RATE
from benchmarks.keeping import keep
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import EventKind, JobRequest, Stage
from cluster.ledger.schema import upgrade
from cluster.placement import Plan, PoolPlan
from cluster.ray_runtime import ray_cluster
from cluster.settings import Settings
from cluster.sources import describe_source
from dataflow.context import FlowContext
from dataflow.planning import cpu_count, make_plan
from dataflow.records import JobOptions, to_plain
from tests.fixtures import tones
from tests.fixtures.media import Picture, Track, write
from tests.fixtures.runs import CAPABILITIES, FIXTURES
from tests.fixtures.speech import LIBRIVOX_TEXTS, recording

FLOW_LIMIT = 0.90
BUSY_LIMIT = 0.90
SCENES = 300
SCENE_SECONDS = 10.0
TRANSCRIBERS = 3
TALKS = 16
SERVICE_SECONDS = {"transcription": 2.0, "diarization": 0.3, "translation": 0.4, "speech": 0.02}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, its limit and whether it is kept; `where` tells where the rest goes."""

    measurement: str
    value: float
    limit: float
    verdict: str
    where: str


def simulated(folder: Path) -> Row:
    """Throughput of the flow over what its slowest pool could do alone."""
    log = folder / "log"
    log.mkdir()
    os.environ |= {"SIMULATED_LOG": str(log), "SIMULATED_SECONDS": json.dumps(SERVICE_SECONDS)}
    rng = np.random.default_rng(1)
    seconds = np.clip(rng.lognormal(4.2, 0.8, 60), 15, 500)
    count = int(np.searchsorted(seconds.cumsum(), SCENES * SCENE_SECONDS * 0.75)) + 1
    videos = [tones.video(folder / f"v{i}.mp4", float(s), seed=i) for i, s in enumerate(seconds[:count])]
    settings = Settings(home=folder / "home", max_scene_seconds=SCENE_SECONDS, jobs_in_flight=16)
    pools = {"transcribe": PoolPlan(actors=TRANSCRIBERS), "diarize": PoolPlan(), "translate": PoolPlan()}
    pools |= {"open": PoolPlan(rows=1), "synthesize": PoolPlan(), "publish": PoolPlan(rows=1)}
    run_flow(settings, Plan("simulated", dict.fromkeys(CAPABILITIES, "simulated"), pools), videos)
    return judge_pool(read_calls(log))


def judge_pool(calls: dict[str, list[tuple[int, float, float]]]) -> Row:
    """The slowest pool's calls (process, start, end) tell throughput, service time and what happened in between."""
    done = sorted(calls["transcription"], key=lambda call: call[2])
    first, last = done[len(done) // 10][2], done[-(len(done) // 10) - 1][2]
    window = [call for call in done if first < call[2] <= last]
    service = statistics.mean(end - start for _, start, end in window)
    alone = TRANSCRIBERS / service
    throughput = len(window) / (last - first)
    idle = _gaps(window)
    handover = sum(min(gap, 0.3) for gap in idle) / (TRANSCRIBERS * (last - first))
    starved = sum(max(0.0, gap - 0.3) for gap in idle) / (TRANSCRIBERS * (last - first))
    ratio = throughput / alone
    where = (
        f"{len(done)} scenes, {throughput:.2f}/s of {alone:.2f}/s; handing over {handover:.1%}, "
        f"waiting for a scene {starved:.1%}"
    )
    return Row("flow / slowest pool", ratio, FLOW_LIMIT, _verdict(ratio, FLOW_LIMIT), where)


def _gaps(calls: Sequence[tuple[int, float, float]]) -> list[float]:
    by_process = defaultdict(list)
    for process, start, end in sorted(calls, key=lambda call: call[1]):
        by_process[process].append((start, end))
    return [max(0.0, after[0] - before[1]) for spans in by_process.values() for before, after in pairwise(spans)]


def read_calls(log: Path) -> dict[str, list[tuple[int, float, float]]]:
    """The simulated engines' own records, by capability."""
    calls = defaultdict(list)
    for file in log.glob("calls.*"):
        for line in file.read_text(encoding="utf-8").splitlines():
            capability, _, process, started, ended = line.split("\t")
            calls[capability].append((int(process), float(started), float(ended)))
    return calls


def lite(folder: Path) -> Row:
    """Share of the usable processors that the flow keeps busy with the embedded engines."""
    videos = [talk(folder / f"talk{i}.mp4", 45.0 + 15.0 * (i % 4), number=i) for i in range(TALKS)]
    settings = Settings(home=folder / "home", jobs_in_flight=8)
    watch = BusyWatch()
    watch.start()
    run_flow(settings, make_plan(settings), videos)
    done = completions(settings)
    first, last = done[len(done) // 10], done[-(len(done) // 10) - 1]
    share, by_stage = watch.between(first, last)
    where = ", ".join(f"{name} {part:.0%}" for name, part in sorted(by_stage.items(), key=lambda item: -item[1])[:7])
    return Row("processors busy (lite)", share, BUSY_LIMIT, _verdict(share, BUSY_LIMIT), where)


def talk(path: Path, seconds: float, number: int) -> Path:
    """A video of real speech; every number begins elsewhere in the recordings, so that no two share a scene."""
    names = ("jfk", "two_speakers", *LIBRIVOX_TEXTS)
    spoken = np.concatenate([recording(name).samples for name in names])
    sound = np.resize(np.roll(spoken, -number * 5 * ANALYSIS_RATE), round(seconds * ANALYSIS_RATE))
    return write(path, Picture(seconds), [Track(sound, rate=ANALYSIS_RATE)])


def completions(settings: Settings) -> list[float]:
    """When scenes were transcribed and passages spoken, in the clock of the ledger."""
    ledger = Ledger(settings.database)
    moments = []
    for job in ledger.jobs(limit=1000).jobs:
        for event in ledger.events(job.id, limit=10_000):
            if event.kind == EventKind.STAGE and event.data["stage"] in {Stage.TRANSCRIPTION, Stage.COMBINATION}:
                moments += [event.at] * bool(event.data["done"])
    ledger.close()
    return sorted(moments)


class BusyWatch(threading.Thread):
    """Samples the processor time of this process and all that it has started."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._samples: list[tuple[float, dict[str, float]]] = []

    def run(self) -> None:
        """Sample, until the process ends."""
        spent: dict[tuple[int, float], tuple[str, float]] = {}
        while True:
            for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
                try:
                    times, name = process.cpu_times(), _name(process)
                    used = times.user + times.system + times.children_user + times.children_system
                    spent[process.pid, process.create_time()] = (name, used)
                except psutil.Error:
                    continue
            totals: dict[str, float] = defaultdict(float)
            for name, used in spent.values():
                totals[name] += used
            self._samples.append((time.time(), dict(totals)))
            time.sleep(0.5)

    def between(self, first: float, last: float) -> tuple[float, dict[str, float]]:
        """Busy share of all usable processors between two moments, whole and by stage."""
        before = min(self._samples, key=lambda sample: abs(sample[0] - first))
        after = min(self._samples, key=lambda sample: abs(sample[0] - last))
        available = (after[0] - before[0]) * cpu_count()
        shares = {name: (used - before[1].get(name, 0.0)) / available for name, used in after[1].items()}
        return sum(shares.values()), shares


def _name(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    if "FlatMap(" in command:
        return command.split("FlatMap(")[1].split(")")[0]
    if "dataflow.media.child" in command or "lt-proc" in command or "apertium" in command:
        return "child programs"
    return "driver" if process.pid == os.getpid() else "Ray"


def run_flow(settings: Settings, plan: Plan, videos: Sequence[Path]) -> None:
    """Dub videos to Spanish as the command does, in this process."""
    upgrade(settings.database)
    ledger = Ledger(settings.database)
    for video in videos:
        source = describe_source(video)
        request = JobRequest(
            source_uri=source.uri,
            source_version=source.version,
            target_languages=("es",),
            destination=(settings.home / "out").as_uri(),
            stem=video.stem,
            options=to_plain(JobOptions(profile=plan.profile)),
            batch="benchmark",
        )
        ledger.submit(request)
    ledger.close()
    with ray_cluster(settings):
        from dataflow.driver import Driver  # noqa: PLC0415 - Ray reads its environment when it is imported

        Driver(FlowContext(settings, plan, owner="", batch="benchmark")).run_until_empty()


def _verdict(value: float, limit: float) -> str:
    return "PASS" if value >= limit else "FAIL"


MEASUREMENTS = {"simulated": simulated, "lite": lite}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--only", choices=MEASUREMENTS, help="one of the two")
    arguments = parser.parse_args()
    sys.path.insert(0, str(FIXTURES / "simulated"))
    os.environ["PYTHONPATH"] = str(FIXTURES / "simulated")
    rows = []
    for name in [arguments.only] if arguments.only else MEASUREMENTS:
        with tempfile.TemporaryDirectory(prefix="df-") as folder:
            rows.append(MEASUREMENTS[name](Path(folder)))
        row = rows[-1]
        print(
            f"{row.measurement:24} {row.value:6.3f}  at least {row.limit:.2f}  {row.verdict}\n    {row.where}",
            flush=True,
        )
    keep(rows, arguments.json)
    return int(any(row.verdict == "FAIL" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
