from collections.abc import Callable
from time import monotonic

from actors.contracts.engine import EngineError
from cluster import metrics
from cluster.blobs.contract import BlobStore
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.parts import PartExhaustedError
from cluster.ledger.records import Failure, Lease, PartId, Stage

WHOLE_JOB = frozenset(
    {
        ErrorCode.MODEL_MISSING,
        ErrorCode.MODEL_LOAD_FAILED,
        ErrorCode.LICENCE_REFUSED,
        ErrorCode.UNSUPPORTED_LANGUAGE,
        ErrorCode.STORAGE_FAILED,
        ErrorCode.DISK_FULL,
        ErrorCode.DATABASE_FAILED,
        ErrorCode.ENVIRONMENT,
        ErrorCode.LEASE_LOST,
    }
)
"""What fails one part with such a code would fail all others too: the job fails, or waits for another attempt."""

TRIES = 3
"""A part that fails in a way that may pass is tried so often."""


class PartRunner:
    """Makes a part's artefact unless it exists, and tells the ledger how that went."""

    def __init__(self, ledger: Ledger, blobs: BlobStore) -> None:
        self._ledger = ledger
        self._blobs = blobs

    def run(self, lease: Lease, part: PartId, key: str, make: Callable[[], bytes]) -> bool:
        """Make the artefact `key`.

        Returns:
            True where this part completes its set.

        Raises:
            LeaseLostError: Somebody else has the job by now.
            DubflowError: What would fail every other part of the job too.
        """
        if self._blobs.exists(key):
            return self._ledger.finish(lease, part, key, seconds=0.0)
        failure = None
        for _ in range(TRIES):
            try:
                self._ledger.begin(lease, part, key)
            except PartExhaustedError as exhausted:
                return exhausted.closes
            started = monotonic()
            failure, retryable = self._attempt(part, key, make)
            if failure is None or not retryable:
                break
        seconds = monotonic() - started
        metrics.STAGE_SECONDS.observe(seconds, stage=part.stage.value)
        if failure is not None:
            metrics.ERRORS.add(code=failure.code.value, where=part.stage.value)
        return self._ledger.finish(lease, part, key, seconds=seconds, failure=failure)

    def _attempt(self, part: PartId, key: str, make: Callable[[], bytes]) -> tuple[Failure | None, bool]:
        try:
            self._blobs.put_bytes(key, make())
        except (DubflowError, EngineError) as error:
            failure = failure_of(error, part.stage)
            if failure.code in WHOLE_JOB:
                raise
            return failure, error.retryable
        return None, False


def failure_of(error: DubflowError | EngineError, stage: Stage) -> Failure:
    """What the ledger keeps of an error; an engine's code that is not ours counts as `engine_failed`."""
    if isinstance(error, DubflowError):
        return Failure(error.code, error.message, stage)
    code = ErrorCode(error.code) if error.code in set(ErrorCode) else ErrorCode.ENGINE_FAILED
    return Failure(code, str(error), stage)
