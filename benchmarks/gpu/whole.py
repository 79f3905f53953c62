"""The whole flow's GPU work on one GPU: its stages side by side, in the proportions of an hour of video.

Each stage has a process of its own, as actors have, with its share of the memory. First each works alone while the
others hold their memory, then all at once on the same hours of video, until the last one has finished. Printed are the
hours dubbed in an hour of the GPU, and their ratios to two bounds: the slowest stage alone, which no flow on one GPU
beats, and stages that take turns without a pause.

Example:
    python -m benchmarks.gpu.whole --json whole.json
    python -m benchmarks.gpu.whole --device cpu --tiny
"""

import argparse
import multiprocessing
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from math import ceil
from multiprocessing.connection import Connection
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.gpu import hour
from benchmarks.gpu.common import (
    MISSING,
    MissingLibraryError,
    Settings,
    check_device,
    figures,
    limit_memory,
    machine,
    peak_gb,
    rounds,
    synchronize,
)
from benchmarks.keeping import keep

READY_WITHIN_SECONDS = 900
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Choice:
    """How a stage takes part: pieces at once, share of the GPU's memory, and number format."""

    batch: int
    share: float
    dtype: str


CHOICES: Mapping[str, Choice] = MappingProxyType(
    {
        "diarization": Choice(64, 0.08, "float32"),
        "transcription": Choice(16, 0.10, "float16"),
        "translation": Choice(64, 0.52, "bfloat16"),
        "speech": Choice(32, 0.12, "float32"),
        "voxcpm": Choice(32, 0.12, "bfloat16"),
        "separation": Choice(4, 0.10, "bfloat16"),
    }
)
USUAL = ("diarization", "transcription", "translation", "speech")


@dataclass(frozen=True, slots=True)
class Alone:
    """A stage while the others wait.

    Attributes:
        engine: Whose load it is.
        library: Whose code runs.
        batch: Pieces at once.
        audio: Seconds of audio of a batch.
        rate: Seconds of audio in a second.
        hour: Seconds of audio of an hour of video that go through it.
        hour_seconds: Of the GPU, for an hour of video.
        peak_gb: The most memory that PyTorch held.
    """

    engine: str
    library: str
    batch: int
    audio: float
    rate: float
    hour: float
    hour_seconds: float
    peak_gb: float


class StageError(Exception):
    """A stage that could not work; the message is for people."""


def _work(pipe: Connection, name: str, choice: Choice, settings: Settings, together: str) -> None:
    """What a stage's process does: get ready, then work when it is told to."""
    try:
        check_device(settings.device)
        limit_memory(settings.device, choice.share if together == "processes" else 1.0)
        stage = import_module(f"benchmarks.gpu.{name}").build(settings)
        stage.step(choice.batch)
        pipe.send(("ready", None))
        while (order := pipe.recv()) is not None:
            done = _alone(stage, choice, settings) if order == "alone" else _steps(stage, choice, settings, order)
            pipe.send(("done", done))
    except MissingLibraryError as error:
        pipe.send(("missing", str(error)))
    except Exception as error:  # noqa: BLE001 - told to whoever waits, in whatever process
        pipe.send(("failed", f"{name}: {type(error).__name__}: {error}"))


def _alone(stage: Any, choice: Choice, settings: Settings) -> Alone:
    timed = list(rounds(stage, choice.batch, settings.device, 1 if settings.tiny else ROUNDS, warm_up=1))
    rate = statistics.median(audio / seconds for seconds, audio in timed)
    audio = statistics.median(audio for _, audio in timed)
    return Alone(
        engine=stage.engine,
        library=stage.library,
        batch=choice.batch,
        audio=audio,
        rate=rate,
        hour=stage.hour,
        hour_seconds=stage.hour / rate,
        peak_gb=peak_gb(settings.device),
    )


def _steps(stage: Any, choice: Choice, settings: Settings, count: int) -> tuple[float, float]:
    """When the first of so many batches began and the last one ended, on the machine's clock."""
    began = time.monotonic()
    for _ in range(count):
        stage.step(choice.batch)
    synchronize(settings.device)
    return began, time.monotonic()


class Worker:
    """A stage in a process or thread of its own, ready to work."""

    def __init__(self, name: str, choice: Choice, settings: Settings, together: str) -> None:
        ours, theirs = multiprocessing.Pipe()
        self._pipe = ours
        start: Any = threading.Thread if together == "threads" else multiprocessing.get_context("spawn").Process
        self._runner = start(target=_work, args=(theirs, name, choice, settings, together), daemon=True)
        self._runner.start()
        if together == "processes":
            theirs.close()  # so that its end is seen here
        self._name = name
        self._answer(READY_WITHIN_SECONDS)

    def begin(self, order: object) -> None:
        """Have it work."""
        self._pipe.send(order)

    def result(self) -> Any:
        """What came of it."""
        return self._answer(None)

    def end(self) -> None:
        """Let it go."""
        with suppress(OSError):  # it has ended by itself
            self._pipe.send(None)
        self._runner.join(60)

    def _answer(self, within: float | None) -> Any:
        if not self._pipe.poll(within):
            raise StageError(f"{self._name} was not ready in {within:g} seconds")
        try:
            kind, answer = self._pipe.recv()
        except EOFError as error:
            raise StageError(f"the process of {self._name} has died") from error
        if kind == "missing":
            raise MissingLibraryError(answer)
        if kind == "failed":
            raise StageError(answer)
        return answer


@contextmanager
def workers(chosen: argparse.Namespace) -> Iterator[dict[str, Worker]]:
    """All stages, started one after the other: their libraries look at the memory that is free."""
    started: dict[str, Worker] = {}
    try:
        for name in chosen.stages:
            choice = CHOICES[name]
            dtype = "float32" if chosen.device == "cpu" else choice.dtype
            choice = Choice(1 if chosen.tiny else choice.batch, choice.share, dtype)
            started[name] = Worker(
                name, choice, Settings(chosen.device, dtype, chosen.tiny, share=choice.share), chosen.together
            )
        yield started
    finally:
        for worker in started.values():
            worker.end()


def measure(chosen: argparse.Namespace) -> tuple[dict[str, Alone], float, float]:
    """Each stage alone; the hours that all of them finished together, and the seconds that it took."""
    alone: dict[str, Alone] = {}
    with workers(chosen) as ready:
        for name, worker in ready.items():
            worker.begin("alone")
            alone[name] = worker.result()
        hours = _whole_batches(chosen.seconds / sum(one.hour_seconds for one in alone.values()), alone)
        counts = {name: max(1, ceil(hours * one.hour / one.audio)) for name, one in alone.items()}
        for name, worker in ready.items():
            worker.begin(counts[name])
        times = [worker.result() for worker in ready.values()]
    finished = min(counts[name] * one.audio / one.hour for name, one in alone.items())
    return alone, finished, max(end for _, end in times) - min(began for began, _ in times)


def _whole_batches(hours: float, alone: Mapping[str, Alone]) -> float:
    """As many hours, at least, as are whole batches of the stage with the largest ones."""
    largest = max(one.audio / one.hour for one in alone.values())
    return ceil(hours / largest) * largest


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print and keep it; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--tiny", action="store_true", help="a toy shape: shows that the code runs, measures nothing")
    parser.add_argument(
        "--stages", type=lambda text: text.split(","), default=list(USUAL), help="others: voxcpm, separation"
    )
    parser.add_argument(
        "--together", default="processes", choices=("processes", "threads"), help="threads: quick to start, for a trial"
    )
    parser.add_argument("--seconds", type=float, help="about how long all work together (60)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    chosen = parser.parse_args(given)
    chosen.seconds = chosen.seconds or (1.0 if chosen.tiny else 60.0)
    try:
        check_device(chosen.device)
        alone, hours, seconds = measure(chosen)
    except MissingLibraryError as error:
        sys.stderr.write(f"{error}\n")
        return MISSING
    except StageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    record = _record(chosen, alone, hours, seconds)
    _print(record)
    keep(record, chosen.json)
    return 0


def _record(chosen: argparse.Namespace, alone: Mapping[str, Alone], hours: float, seconds: float) -> dict[str, Any]:
    rate = 3600 * hours / seconds
    slowest = max(one.hour_seconds for one in alone.values())
    turns = sum(one.hour_seconds for one in alone.values())
    published = sum(hour.PUBLISHED[name][0] for name in alone)
    return {
        "format": "dubflow.gpu-benchmark/1",
        "stage": "whole",
        **machine(chosen.device, tiny=chosen.tiny),
        "together": chosen.together,
        "alone": {name: asdict(one) for name, one in alone.items()},
        "published": {name: dict(zip(("gpu_seconds", "source"), hour.PUBLISHED[name], strict=True)) for name in alone},
        "hours": hours,
        "seconds": seconds,
        "hours_per_gpu_hour": rate,
        "of_slowest_alone": rate * slowest / 3600,
        "of_taking_turns": rate * turns / 3600,
        "published_hours_per_gpu_hour": 3600 / published,
        "loads": {one.engine: figures(one.library, one.hour_seconds, one.peak_gb) for one in alone.values()},
    }


def _print(record: Mapping[str, Any]) -> None:
    toy = ", toy shapes: these are no figures" if record["tiny"] else ""
    print(f"the whole flow on {record['device']}, stages as {record['together']}{toy}")
    print(
        f"{'stage':14} {'library':12} {'batch':>6} {'audio s/s':>11} {'GPU s/hour':>11} "
        f"{'published':>10} {'peak GB':>8}"
    )
    for name, one in record["alone"].items():
        published = record["published"][name]["gpu_seconds"]
        print(
            f"{name:14} {one['library']:12} {one['batch']:6} {one['rate']:11.1f} {one['hour_seconds']:11.2f} "
            f"{published:10.1f} {one['peak_gb']:8.2f}"
        )
    print(
        f"together: {record['hours']:.2f} hours of video in {record['seconds']:.1f} s: "
        f"{record['hours_per_gpu_hour']:.1f} hours dubbed per GPU-hour "
        f"(published speeds make {record['published_hours_per_gpu_hour']:.0f})"
    )
    print(
        f"of the slowest stage alone {record['of_slowest_alone']:.2f}; of stages that take turns "
        f"{record['of_taking_turns']:.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
