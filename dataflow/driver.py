"""Runs the flow in this process: keeps its leases alive, starts it anew when Ray lets it down, drains it on request."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Event, Thread

import structlog

from cluster.errors import DubflowError, ErrorCode, LeaseLostError
from cluster.ledger.ledger import Ledger
from cluster.owner import this_process
from cluster.scratch import remove
from dataflow.context import FlowContext
from dataflow.graph import build_flow
from dataflow.ray_settings import consume_options
from dataflow.source import ClaimSource

log = structlog.get_logger()

MAX_FAILURES = 5
"""A flow that Ray lets down so often in a row, without one job ending in between, is not going to recover."""


class Driver:
    """Sees a batch of jobs through, or all jobs that will ever come.

    Args:
        context: What the actors are told; its owner is replaced by one of this process at each start of the flow.
        on_beat: Called with the flow's owner whenever its leases have been renewed.
    """

    def __init__(self, context: FlowContext, on_beat: Callable[[str], None] = lambda _owner: None) -> None:
        self._context = context
        self._on_beat = on_beat
        self._draining = Event()
        self._generation = 0

    @property
    def ledger(self) -> Ledger:
        """This process's connection to the ledger."""
        return self._context.ledger

    def run_until_empty(self) -> None:
        """Work until all jobs of the batch are over, or the flow is drained.

        Raises:
            DubflowError: `internal` where Ray fails again and again without any progress.
        """
        failures = 0
        while not self._draining.is_set() and (before := self._context.jobs_open()):
            error = self._run_once()
            if error is None:
                continue
            failures = failures + 1 if self._context.jobs_open() == before else 1
            log.warning("the flow broke off and is started again", error=str(error), failures=failures)
            if failures >= MAX_FAILURES:
                raise DubflowError(
                    ErrorCode.INTERNAL, f"Ray broke the flow off {failures} times in a row, at last with: {error}"
                ) from error

    def run_until_drained(self, on_start: Callable[[str], None]) -> None:
        """Work on whatever is queued, until somebody drains the flow.

        Args:
            on_start: Called with the flow's owner before it claims anything.

        Raises:
            Exception: Whatever broke the flow off.
        """
        if not self._draining.is_set() and (error := self._run_once(on_start, until_empty=False)):
            raise error

    def drain(self) -> None:
        """Let the parts in hand end, begin no others, and hand the unfinished jobs back."""
        self._draining.set()
        self._context.ledger.drain(self._context.owner)

    def abandon(self) -> None:
        """Hand the unfinished jobs back at once; parts in hand are lost."""
        self._draining.set()
        self._hand_back()

    def _run_once(
        self, on_start: Callable[[str], None] = lambda _owner: None, *, until_empty: bool = True
    ) -> Exception | None:
        self._generation += 1
        context = self._context = replace(self._context, owner=str(this_process(self._generation)))
        source = ClaimSource(context, until_empty=until_empty)
        with self._kept_alive():
            try:
                on_start(context.owner)
                for _ in build_flow(source, context).iter_batches(**consume_options()):
                    """Everything that matters has been written by the stages themselves."""
            except Exception as error:  # noqa: BLE001 - whatever broke the run off, the next one does what is left
                return error
        return None

    @contextmanager
    def _kept_alive(self) -> Iterator[None]:
        over = Event()
        beating = Thread(target=self._beat, args=(over,), daemon=True, name="heartbeat")
        beating.start()
        try:
            yield
        finally:
            over.set()
            beating.join()
            self._hand_back()
            self._context.ledger.flow_ended(self._context.owner)
            remove(self._context.scratch)

    def _beat(self, over: Event) -> None:
        """Renew the leases, and take back jobs that have stood still."""
        settings, ledger, owner = self._context.settings, self._context.ledger, self._context.owner
        while not over.wait(settings.heartbeat_seconds):
            try:
                ledger.heartbeat(owner)
                self._on_beat(owner)
                for lease in ledger.stalled(owner, settings.stall_seconds):
                    if ledger.release_stalled(lease, settings.stall_seconds):
                        log.warning("a job stood still and is tried again", job_id=lease.job_id)
            except DubflowError as error:
                log.warning("heartbeat failed", error=error.message)

    def _hand_back(self) -> None:
        ledger = self._context.ledger
        for lease in ledger.leases_of(self._context.owner):
            with suppress(LeaseLostError):
                ledger.hand_back(lease)
