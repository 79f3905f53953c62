"""How far a run is, on stderr: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cluster.ledger.records import Job, Stage, StageState, StageStatus


@dataclass(frozen=True, slots=True)
class JobProgress:
    """Where one job stands; `stage` is what it is busy with."""

    name: str
    job: Job
    stage: Stage | None


def stage_in_work(stages: Sequence[StageState]) -> Stage | None:
    """The earliest stage that has begun and is not over, else the first that has not begun."""
    running = (state.stage for state in stages if state.status is StageStatus.RUNNING)
    waiting = (state.stage for state in stages if state.status is StageStatus.PENDING)
    return next(running, None) or next(waiting, None)


class ProgressView(Protocol):
    """Shows where the jobs of a run stand."""

    def show(self, jobs: Sequence[JobProgress]) -> None:
        """Take the newest state of all jobs."""
        ...


class TimeLeft:
    """Seconds that remain, by the pace so far; None while there is too little to tell by.

    The first percents are left out: they are spent on starting up and say nothing about the rest.
    """

    _FROM_PERCENT = 5.0

    def __init__(self) -> None:
        self._start: tuple[float, float] | None = None

    def at(self, percent: float, now: float) -> float | None:
        """The estimate at a moment in seconds of any steady clock."""
        if percent < self._FROM_PERCENT:
            return None
        if self._start is None:
            self._start = (percent, now)
        first, since = self._start
        return (now - since) * (100 - percent) / (percent - first) if percent > first else None


class Bars:
    """A bar a job in work and one for the run."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}", table_column=None),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[stage]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._left: dict[str, TimeLeft] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, jobs: Sequence[JobProgress]) -> None:
        """Draw the newest state."""
        for one in jobs:
            if one.job.id not in self._tasks:
                self._tasks[one.job.id] = self._bars.add_task(one.name, total=100, stage="waiting", left="")
                self._left[one.job.id] = TimeLeft()
            seconds = self._left[one.job.id].at(one.job.progress, time.monotonic())
            self._bars.update(
                self._tasks[one.job.id],
                completed=one.job.progress,
                stage=one.stage.replace("_", " ") if one.stage else "",
                left="" if seconds is None else f"about {_duration(seconds)} left",
                visible=not one.job.status.terminal,
            )


class Lines:
    """A line whenever a job gets to another stage."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: dict[str, Stage | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, jobs: Sequence[JobProgress]) -> None:
        """Print what is new."""
        for one in jobs:
            if one.job.status.terminal or one.stage is None or self._seen.get(one.job.id) == one.stage:
                continue
            self._seen[one.job.id] = one.stage
            self._console.print(f"{one.name}: {one.job.progress:.0f} % {one.stage.replace('_', ' ')}")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
