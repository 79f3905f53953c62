"""Parts of stages: begun, ended, and joined again by the one part that closes its set.

The closer rule. `expect` records how many parts a set has. The first `finish` after which all of them are over, well
or badly, closes the set; its part is the closer, and gets the same answer whenever it repeats that finish with the same
key: after a lost answer, when Ray retries its task, and in a later attempt of the job. All other parts get False. Hence
the join downstream is stateless: the closer yields one row, the others none.

* While the number of parts is unknown nothing closes. If all parts were over before `expect` was told so, it closes the
  set in the name of the last part, and that part's next `finish` says True. So whoever fans out records `expect` before
  it passes on its last part. A set without parts has no closer: whoever expects none goes on itself.
* A part under another key is other work: its attempts start again, a closed set reopens, and whatever earlier attempts
  of the job left in the set counts only once this attempt has confirmed it.
* Another number of parts is another plan: parts beyond it are dropped and the set reopens.
* A new attempt of the job tries parts again whose failure may pass; their sets reopen with the claim.
* Parts that are begun again under the same key while their set is closed leave it closed.
* Success wins: a part that failed may still be finished well under the same key, never the other way round.
"""

import json
from dataclasses import dataclass

from cluster.errors import DubflowError, ErrorCode, LeaseLostError
from cluster.ledger.base import LedgerBase
from cluster.ledger.flows import is_draining
from cluster.ledger.part_sets import PartSet, load_set, replan, settle, void_earlier
from cluster.ledger.part_state import MAX_PART_ATTEMPTS, PartState, load_part, store_part
from cluster.ledger.records import EventKind, Failure, Lease, PartId, Stage
from cluster.ledger.rows import storable, to_json
from cluster.ledger.transition import Transition


class PartExhaustedError(DubflowError):
    """A part has crashed its workers too often; it is recorded as failed, and the caller goes on without it.

    Args:
        part: Which one.
        closes: True where this failure makes the part the closer of its set.
    """

    def __init__(self, part: PartId, *, closes: bool) -> None:
        name = f"part {part.index} of {part.stage}" + (f" ({part.language})" if part.language else "")
        super().__init__(ErrorCode.WORKER_CRASHED, f"{name} took down its worker {MAX_PART_ATTEMPTS} times; left out")
        self.part = part
        self.closes = closes

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_exhausted, (self.part, self.closes)


def _rebuild_exhausted(part: PartId, closes: bool) -> PartExhaustedError:
    return PartExhaustedError(part, closes=closes)


@dataclass(frozen=True, slots=True)
class _Begun:
    attempt: int
    exhausted: bool = False
    closes: bool = False


class Parts(LedgerBase):
    """The workers' side of stages. Everything here is fenced, and the same again when it is repeated."""

    def expect(self, lease: Lease, stage: Stage, language: str, count: int) -> bool:
        """Record how many parts a set has; 0 closes it at once.

        Returns:
            True if the set is closed: all its parts are over already. See the closer rule above for who goes on.

        Raises:
            LeaseLostError: The lease is gone.
        """

        def expect(transition: Transition) -> bool:
            known = _set_of(transition, stage, language)
            planned = replan(transition, known, count, lease.fence)
            return settle(transition, known, planned, closing=count - 1).closer is not None

        return self._work(lease, expect)

    def begin(self, lease: Lease, part: PartId, key: str) -> int:
        """Record that work on a part starts.

        Returns:
            How often the part has been begun with this key, this time included.

        Raises:
            PartExhaustedError: It was begun MAX_PART_ATTEMPTS times without an outcome and is recorded as failed.
            LeaseLostError: The lease is gone, or its flow is being drained.
            DubflowError: `conflict` for a part beyond the number that this lease has recorded with `expect`.
        """
        result = self._work(lease, _Beginning(lease, part, key))
        if result.exhausted:
            raise PartExhaustedError(part, closes=result.closes)
        return result.attempt

    def finish(self, lease: Lease, part: PartId, key: str, *, seconds: float, failure: Failure | None = None) -> bool:
        """Record that a part is over; without a `begin` where its artefact existed.

        Returns:
            True if this part is the closer of its set.

        Raises:
            LeaseLostError: The lease is gone.
        """

        def finish(transition: Transition) -> bool:
            part_set = _set_of(transition, part.stage, part.language)
            if part_set.leaves_out(part.index, lease.fence):
                return False  # a straggler of a plan that is no more
            before = load_part(transition, part)
            after = _continued(before, part, key).ended(lease.fence, seconds, failure)
            return _write(transition, part_set, before, after)

        return self._work(lease, finish)

    def warn(self, lease: Lease, code: str, message: str) -> None:
        """Add a warning to the job, once.

        Raises:
            LeaseLostError: The lease is gone.
        """

        def warn(transition: Transition) -> None:
            warning = [storable(code), storable(message)]
            known = json.loads(transition["warnings"])
            if warning not in known:
                transition.set(warnings=to_json([*known, warning]))
                transition.record(EventKind.WARNING, code=code, message=message)

        self._work(lease, warn)


class _Beginning:
    """One call of `begin`; knows its own doing again when its transaction is repeated after a lost answer."""

    def __init__(self, lease: Lease, part: PartId, key: str) -> None:
        self._lease = lease
        self._part = part
        self._key = key
        self._begun: _Begun | None = None

    def __call__(self, transition: Transition) -> _Begun:
        if is_draining(transition.connection, self._lease.owner):
            raise LeaseLostError("this flow is being drained and begins nothing new")
        part_set = _set_of(transition, self._part.stage, self._part.language)
        if part_set.leaves_out(self._part.index, self._lease.fence):
            raise DubflowError(
                ErrorCode.CONFLICT,
                f"{self._part.stage} has {part_set.expected} parts; number {self._part.index} is none of them",
            )
        before = load_part(transition, self._part)
        state = _continued(before, self._part, self._key)
        if self._begun is None or self._begun.exhausted or self._begun.attempt != state.attempts:
            after = state.given_up(self._lease.fence) if state.exhausted else state.begun(self._lease.fence)
            closes = _write(transition, part_set, before, after)
            self._begun = _Begun(after.attempts, state.exhausted, closes)
        return self._begun


def _continued(before: PartState | None, part: PartId, key: str) -> PartState:
    return before if before is not None and before.key == key else PartState(part, key)


def _write(transition: Transition, part_set: PartSet, before: PartState | None, after: PartState) -> bool:
    """Store a part and settle its set; True if the part is the set's closer."""
    changed = part_set
    if part_set.is_outgrown_by(after.part.index) or (before is not None and before.key != after.key):
        changed = void_earlier(transition, part_set, after.fence)
    store_part(transition, after, new=before is None)
    return settle(transition, part_set, changed, closing=after.part.index).closer == after.part.index


def _set_of(transition: Transition, stage: Stage, language: str) -> PartSet:
    if language not in (transition.languages if stage.per_language else ("",)):
        raise DubflowError(ErrorCode.INVALID_REQUEST, f"{stage} has no parts for the language {language!r} in this job")
    return load_set(transition, stage, language)
