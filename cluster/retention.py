"""What nobody needs any more is removed: old jobs with all their files, uploads without a job, unfinished files."""

from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from cluster import layout
from cluster.blobs.contract import BlobStore
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Job, JobStatus
from cluster.removal import remove_job, sweep_removals
from cluster.settings import Settings
from cluster.uploads import sweep_uploads
from cluster.voices import sweep_voices

JOBS_AT_ONCE = 100
_DAY_SECONDS = 24 * 3600.0
_UNFINISHED_SECONDS = _DAY_SECONDS
"""No single blob takes so long to write; what is unfinished by then has no writer."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep has done.

    Attributes:
        jobs: Removed.
        unfinished: Files of dead writers removed.
        failed: What could not be done; the next sweep tries it again.
        more: There is more to do right now.
    """

    jobs: int
    unfinished: int
    failed: tuple[DubflowError, ...]
    more: bool


def sweep(ledger: Ledger, blobs: BlobStore, settings: Settings) -> Swept:
    """Remove what has had its time, a hundred jobs at most: every hour or so, and again while there is more.

    May be interrupted anywhere, and run by several processes at once: what one leaves, another finishes.

    Raises:
        DubflowError: `database_failed`.
    """
    seconds = settings.retention_days * _DAY_SECONDS
    old = ledger.expired_jobs(f"{blobs.uri(layout.RESULTS)}/", seconds, JOBS_AT_ONCE)
    failed = list(_remove(ledger, blobs, old))
    removed = len(old) - len(failed)
    failed += sweep_removals(ledger, blobs)
    failed += sweep_uploads(ledger, blobs)
    failed += sweep_voices(ledger, blobs, settings.voice_retention_days * _DAY_SECONDS)
    forgotten = ledger.forget_events(seconds, JOBS_AT_ONCE)
    unfinished = 0
    try:
        unfinished = blobs.sweep(_UNFINISHED_SECONDS)
    except DubflowError as error:
        failed.append(error)
    for failure in failed:
        log.warning("the sweep left something", code=failure.code.value, error=failure.message)
    # Where none could be removed, doing it again at once would not help.
    return Swept(removed, unfinished, tuple(failed), JOBS_AT_ONCE in {removed, forgotten})


def _remove(ledger: Ledger, blobs: BlobStore, old: Iterable[Job]) -> Iterable[DubflowError]:
    for job in old:
        try:
            if job.status is JobStatus.AWAITING_REVIEW:
                ledger.cancel(job.id)
            remove_job(ledger, blobs, job)
        except DubflowError as error:
            # Another sweep has removed it, or somebody wants it again.
            if error.code not in {ErrorCode.NOT_FOUND, ErrorCode.CONFLICT}:
                yield error
