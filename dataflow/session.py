"""One run over a set of inputs: submit them, run the flow until they are over, tell of each as it ends."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING
from uuid import uuid4

from cluster.cli.console import err, stray_output_into
from cluster.errors import DubflowError
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import JobStatus
from cluster.placement import Plan
from cluster.ray_runtime import ray_cluster
from cluster.scratch import RUN_PREFIX, sweep
from cluster.settings import Settings
from dataflow.context import FlowContext
from dataflow.inputs import Input
from dataflow.progress import JobProgress, ProgressView, stage_in_work
from dataflow.results import Result
from dataflow.submission import Submission, Wanted, finished_files, refusal, submit

if TYPE_CHECKING:
    from dataflow.driver import Driver

POLL_SECONDS = 0.25

Report = Callable[[Result], None]


class Session:
    """A run of this process's own flow.

    Args:
        settings: Where ledger, blobs and scratch are.
        plan: Engines and pools.
        ledger: Open and up to date.
        report: Gets every result as soon as it is known.
    """

    def __init__(self, settings: Settings, plan: Plan, ledger: Ledger, report: Report) -> None:
        self._settings = settings
        self._plan = plan
        self._ledger = ledger
        self._report = report
        self._batch = uuid4().hex
        self._started = monotonic()
        self._open: dict[str, Submission] = {}

    def run(self, inputs: Sequence[Input], wanted: Wanted, view: ProgressView) -> bool:
        """See all inputs through; returns False where the user stopped it.

        Raises:
            DubflowError: What ends the whole run, such as a database that is gone.
        """
        self._take_over_from_the_dead()
        for one in inputs:
            self._submit(one, wanted)
        if not self._open:
            return True
        with self._quiet(), ray_cluster(self._settings):
            return self._see_through(view)

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Keep Ray's remarks about its own doings off the user's terminal, unless the user wants to see them."""
        if self._settings.log_level in {"debug", "info"}:
            yield
            return
        with stray_output_into(self._settings.scratch_folder / "ray.log"):
            yield

    def _take_over_from_the_dead(self) -> None:
        """What a killed run has left is free again at once, instead of after its leases have run out."""
        self._ledger.expire_the_dead()
        self._settings.scratch_folder.mkdir(parents=True, exist_ok=True)
        sweep(self._settings.scratch_folder, RUN_PREFIX)

    def _submit(self, one: Input, wanted: Wanted) -> None:
        try:
            submission = submit(one, wanted, self._ledger, self._settings, self._batch)
        except DubflowError as error:
            self._report(Result.failed(one.named, error))
            return
        for language, document in submission.done.items():
            self._report(
                Result(one.named, language, "completed", finished_files(one, wanted, language), document["report"])
            )
        for language in submission.skipped:
            self._report(Result(one.named, language, "skipped", finished_files(one, wanted, language)))
        for language in submission.refused:
            self._report(Result.failed(one.named, refusal(one, language), language))
        if submission.job:
            self._open[submission.job.id] = submission

    def _see_through(self, view: ProgressView) -> bool:
        # Ray takes seconds to import and reads its environment as it does: not before its cluster is set up.
        from dataflow.driver import Driver  # noqa: PLC0415

        driver = Driver(FlowContext(self._settings, self._plan, owner="", batch=self._batch))
        errors: list[DubflowError] = []
        flow = Thread(target=_collecting(driver.run_until_empty, errors), daemon=True, name="flow")
        with _interruptions(driver) as interrupted:
            flow.start()
            while flow.is_alive() and interrupted.count < 2:  # noqa: PLR2004 - the second Ctrl-C stops at once
                view.show(self._in_work())
                self._report_ended()
                flow.join(POLL_SECONDS)
        self._report_ended()
        if interrupted.count:
            driver.abandon()
            return False
        if errors:
            raise errors[0]
        return True

    def _in_work(self) -> list[JobProgress]:
        working = self._ledger.jobs(batch=self._batch, status=JobStatus.PROCESSING, limit=len(self._open) or 1).jobs
        return [
            JobProgress(self._open[job.id].input.named, job, stage_in_work(self._ledger.stages(job.id)))
            for job in working
            if job.id in self._open
        ]

    def _report_ended(self) -> None:
        counts = self._ledger.counts(batch=self._batch)
        if len(self._open) <= sum(count for status, count in counts.items() if not status.terminal):
            return
        for job_id, submission in list(self._open.items()):
            job = self._ledger.job(job_id)
            if not job.status.terminal:
                continue
            del self._open[job_id]
            for output in self._ledger.outputs(job_id):
                if output.language in submission.to_make:
                    seconds = monotonic() - self._started
                    self._report(Result.of(submission.input.named, output, job.failure, seconds))


class _Interruptions:
    """How often the user has pressed Ctrl-C."""

    count = 0


@contextmanager
def _interruptions(driver: "Driver") -> Iterator[_Interruptions]:
    """First Ctrl-C: finish the parts in hand; second: stop."""
    seen = _Interruptions()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        seen.count += 1
        if seen.count == 1:
            err.print("dubflow: finishing the parts in hand; press Ctrl-C again to stop at once")
            Thread(target=driver.drain, daemon=True).start()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _collecting(work: Callable[[], None], errors: list[DubflowError]) -> Callable[[], None]:
    def run() -> None:
        try:
            work()
        except DubflowError as error:
            errors.append(error)

    return run
