from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic
from typing import Any, ClassVar, Generic, TypeVar

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from actors.contracts.engine import EngineError
from cluster import metrics
from cluster.errors import RETRYABLE, DubflowError, ErrorCode, LeaseLostError
from cluster.ledger.records import Failure, Lease, PartId, Stage, StageStatus
from cluster.logs import set_up_logs
from dataflow.context import FlowContext, JobView, JobViews
from dataflow.lanes import Lanes, Patience
from dataflow.parts import PartRunner, failure_of
from dataflow.schema import Row
from dataflow.work import LeaseWatch, current

log = structlog.get_logger()

RowT = TypeVar("RowT", bound=Row)


class FlowStage(ABC, Generic[RowT]):
    """One operator of the flow, living in a Ray actor: a row in, any number of rows out.

    What goes wrong with a row is written to the ledger and ends there; an exception that left this class would cost
    the row's neighbours.
    """

    pool: ClassVar[str] = ""
    """Its name in a plan; joins have none: their work is light, and they are never in each other's way."""
    row_type: ClassVar[type[Row]]
    blamed: ClassVar[Stage]
    """The stage that a failure outside all parts is put down to."""

    def __init__(self, context: FlowContext) -> None:
        set_up_logs(context.settings)
        self.context = context
        self.ledger = context.ledger
        self.blobs = context.blobs
        self.parts = PartRunner(context.ledger, context.blobs)
        self._views = JobViews(context.ledger)
        self._watch = LeaseWatch(context.ledger)
        self._lanes = Lanes(context.plan.pool(self.pool).rows) if self.pool else None

    @abstractmethod
    def process(self, row: RowT, view: JobView) -> Iterator[Row]:
        """Do the stage's work for one row."""

    def __call__(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What Ray Data calls, with several rows at a time in threads of their own."""
        record = self.row_type.from_dict(row)
        clear_contextvars()
        bind_contextvars(job_id=record.job_id, stage=self.blamed.value)
        try:
            view = self._views.of(record.job_id, record.fence)
            bind_contextvars(tenant=view.tenant)
            with self._watch.holding(record.lease, urgent=view.urgent), self._lane(record.lease, view):
                for out in self.process(record, view):  # type: ignore[arg-type] # row_type is what RowT is bound to
                    yield out.to_dict()
        except LeaseLostError:
            log.info("the job is no longer ours")
        except (DubflowError, EngineError) as error:
            self._fail(record, failure_of(error, self.blamed))
        except Exception as error:
            log.exception("unexpected error")
            self._fail(record, Failure(ErrorCode.INTERNAL, f"{type(error).__name__}: {error}", self.blamed))

    def occupies(self, view: JobView) -> bool:  # noqa: ARG002 - for stages that do not work on all jobs
        """Whether rows of this job take a place in a lane; those that only pass through need not wait for one."""
        return True

    def patience(self, lease: Lease) -> Patience:
        """To wait with, for the row that this thread has in hand."""
        return Patience(self.ledger, lease, current())

    @contextmanager
    def step(self, lease: Lease, stage: Stage, language: str = "") -> Iterator[None]:
        """A stage that is one piece of work, for the ledger; an error inside ends it as failed."""
        part = PartId(stage, 0, language)
        self.ledger.expect(lease, stage, language, 1)
        self.ledger.begin(lease, part, "")
        started = monotonic()
        try:
            yield
        except (DubflowError, EngineError) as error:
            if not isinstance(error, LeaseLostError):
                failure = failure_of(error, stage)
                self.ledger.finish(lease, part, "", seconds=monotonic() - started, failure=failure)
            raise
        seconds = monotonic() - started
        metrics.STAGE_SECONDS.observe(seconds, stage=stage.value)
        self.ledger.finish(lease, part, "", seconds=seconds)

    def skip(self, lease: Lease, stage: Stage) -> None:
        """A stage that has nothing to do for this job."""
        self.ledger.expect(lease, stage, "", 1)
        self.ledger.finish(lease, PartId(stage, 0), "", seconds=0.0)

    def _lane(self, lease: Lease, view: JobView) -> AbstractContextManager[None]:
        if self._lanes is None or not self.occupies(view):
            return nullcontext()
        return self._lanes.entered(current(), self.patience(lease))

    def _fail(self, row: Row, failure: Failure) -> None:
        """Fail the row's language alone where it has one and no other attempt could help, else its job."""
        language = getattr(row, "language", "")
        metrics.ERRORS.add(code=failure.code.value, where=failure.stage.value if failure.stage else self.blamed.value)
        try:
            if language and failure.code not in RETRYABLE:
                self.ledger.fail_output(row.lease, language, failure)
                metrics.OUTPUTS.add(status=StageStatus.FAILED.value, language=language)
            else:
                self.ledger.fail(row.lease, failure)
        except LeaseLostError:
            log.info("the job is no longer ours")
