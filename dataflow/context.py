from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path

from actors.contracts.engine import EngineInfo
from cluster.blobs.contract import BlobStore
from cluster.blobs.store import open_blobs
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Job, Priority
from cluster.placement import Plan
from cluster.scratch import RUN_PREFIX, own_folder
from cluster.settings import Settings
from dataflow.models import provide
from dataflow.records import JobOptions, from_plain


@dataclass(frozen=True)
class FlowContext:
    """What every actor of a flow is told: it travels pickled and connects where it arrives.

    Attributes:
        settings: The settings of the process that started the flow.
        plan: Engines and pools.
        owner: In whose name jobs are claimed.
        batch: Work on this batch only; empty is any.
    """

    settings: Settings
    plan: Plan
    owner: str
    batch: str = ""

    @cached_property
    def ledger(self) -> Ledger:
        """This process's connection to the ledger."""
        return Ledger(
            self.settings.database,
            lease_seconds=self.settings.lease_seconds,
            max_attempts=self.settings.max_job_attempts,
        )

    @cached_property
    def blobs(self) -> BlobStore:
        """This process's connection to the blob store."""
        return open_blobs(self.settings.blobs, self.settings.s3_endpoint_url)

    @cached_property
    def scratch(self) -> Path:
        """Node-local folder for files in work; it goes with the flow's driver."""
        return own_folder(self.settings.scratch_folder, RUN_PREFIX, self.owner)

    @property
    def endless(self) -> bool:
        """True for the flow of a service: its engines are loaded before they are needed."""
        return not self.batch

    def provider(self, engine: EngineInfo) -> Callable[[], None]:
        """Gets the weights of an engine onto this node."""
        return partial(provide, engine, self.settings)

    def jobs_open(self) -> int:
        """How many jobs of the batch a flow has or is going to get."""
        counts = self.ledger.counts(batch=self.batch or None)
        return sum(count for status, count in counts.items() if not status.idle)

    def __getstate__(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in ("settings", "plan", "owner", "batch")}


@dataclass(frozen=True, slots=True)
class JobView:
    """A job with its options parsed."""

    job: Job
    options: JobOptions

    @property
    def urgent(self) -> bool:
        """Whether somebody waits for it: for a review, too, whose passages end before they are spoken."""
        return self.job.request.review or self.job.request.priority >= Priority.INTERACTIVE

    @property
    def tenant(self) -> str:
        """Whose artefacts it may use."""
        return self.job.request.tenant


class JobViews:
    """What a claimed job asks for does not change while the claim lasts, so it is read once a claim."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._view = lru_cache(maxsize=256)(self._read)

    def of(self, job_id: str, fence: int) -> JobView:
        """The job as it was when that claim was first seen here."""
        return self._view(job_id, fence)

    def _read(self, job_id: str, _fence: int) -> JobView:
        job = self._ledger.job(job_id)
        return JobView(job, from_plain(JobOptions, job.request.options))
