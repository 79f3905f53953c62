"""The right to work on a job: renewed by beating, lost by silence, given back on a graceful stop."""

from collections.abc import Callable
from functools import partial
from secrets import SystemRandom
from typing import Any

from sqlalchemy import Connection, Select, delete, select, update

from cluster.errors import RETRYABLE, ErrorCode, LeaseLostError
from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.outputs import end_open_outputs
from cluster.ledger.part_state import forgive_running
from cluster.ledger.records import Failure, JobStatus, Lease
from cluster.ledger.tables import jobs, leases
from cluster.ledger.transition import Transition, find_and_lock
from cluster.owner import is_dead

_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 300.0


class Leases(LedgerBase):
    """The owners' side of the ledger.

    When a commit's answer is lost the transaction runs again (see Database). Renewing leases may be done twice; what
    gives a lease up remembers within the call that it had found it, and takes its absence then for its own doing.
    """

    def heartbeat(self, owner: str) -> frozenset[str]:
        """Renew all leases of an owner; returns the jobs that it still holds.

        A lease that has run out but was not taken back counts as held.
        """
        if not self._database.read(lambda connection: _held_by(connection, owner)):
            return frozenset()
        renewal = (
            update(leases)
            .where(leases.c.owner == owner)
            .values(expires_at=Now() + self.lease_seconds)
            .returning(leases.c.job_id)
        )
        return self._database.write(lambda connection: frozenset(connection.scalars(renewal)))

    def owners(self) -> frozenset[str]:
        """All owners that hold a lease."""
        return self._database.read(lambda connection: frozenset(connection.scalars(select(leases.c.owner).distinct())))

    def reclaim(self) -> frozenset[str]:
        """Take back all leases that have run out; returns their jobs.

        Each job goes back into the queue, or to the dead letters where its attempts have run out.
        """
        return self._take_back_all(select(leases).where(leases.c.expires_at < Now()))

    def expire_owner(self, owner: str) -> frozenset[str]:
        """Take back all leases of an owner that is known to be dead, without waiting; returns their jobs."""
        return self._take_back_all(select(leases).where(leases.c.owner == owner))

    def expire_the_dead(self) -> frozenset[str]:
        """Take back all leases of owners that are seen from here to be dead; returns their jobs."""
        return frozenset(job for owner in self.owners() if is_dead(owner) for job in self.expire_owner(owner))

    def stalled(self, owner: str, seconds: float) -> tuple[Lease, ...]:
        """The owner's leases on jobs of which the ledger has heard nothing for so long: no part begun, none ended."""
        silent = _stalled(seconds).where(leases.c.owner == owner)
        return self._database.read(
            lambda connection: tuple(Lease(row.job_id, row.owner, row.fence) for row in connection.execute(silent))
        )

    def release_stalled(self, lease: Lease, seconds: float) -> bool:
        """Take a lease back if its job is still stalled; the attempt counts. Returns whether it was."""
        mine = _stalled(seconds).where(leases.c.job_id == lease.job_id, leases.c.fence == lease.fence)
        return bool(self._take_back_all(mine))

    def wait(self, lease: Lease) -> None:
        """Note that a job's worker waits for its turn: the job does not stand still.

        Raises:
            LeaseLostError: The lease is gone.
        """
        self._work(lease, lambda _transition: None)

    def hand_back(self, lease: Lease) -> None:
        """Give a job back unfinished, as a worker does that was asked to stop: this attempt is not counted.

        Raises:
            LeaseLostError: The lease is gone.
        """

        def give(transition: Transition) -> None:
            _end(transition)
            forgive_running(transition)
            transition.move(JobStatus.UPLOADED, attempt=transition["attempt"] - 1)

        self._leave(lease, give)

    def fail(self, lease: Lease, failure: Failure) -> None:
        """End an attempt that went wrong.

        With a retryable code the job is tried again after a pause that doubles with each attempt, until its attempts
        have run out; with any other code it has failed now. Languages that are published stay published.

        Raises:
            LeaseLostError: The lease is gone.
        """

        def fail(transition: Transition) -> None:
            _end(transition)
            forgive_running(transition)
            if failure.code not in RETRYABLE:
                _give_up(transition, failure, dead_letter=False)
            else:
                _try_again(transition, failure, self.max_attempts, _pause(transition["attempt"]))

        self._leave(lease, fail)

    def _leave(self, lease: Lease, work: Callable[[Transition], None]) -> None:
        left = False

        def leave(transition: Transition) -> None:
            nonlocal left
            work(transition)
            left = True

        try:
            self._work(lease, leave)
        except LeaseLostError:
            if not left:
                raise

    def _take_back_all(self, lost: Select[Any]) -> frozenset[str]:
        taken: set[str] = set()

        def take_back(job_id: str, connection: Connection) -> None:
            transition = find_and_lock(connection, job_id)
            still = lost.where(leases.c.job_id == job_id).with_for_update(of=leases)
            if transition is None or connection.execute(still).first() is None:
                return
            _end(transition)
            attempts = f"{transition['attempt']} of {self.max_attempts} attempts"
            failure = Failure(ErrorCode.WORKER_CRASHED, f"the worker was lost or stood still ({attempts}); see its log")
            _try_again(transition, failure, self.max_attempts, 0.0)
            transition.save()
            taken.add(job_id)

        for row in self._database.read(lambda connection: connection.execute(lost).all()):
            self._database.write(partial(take_back, row.job_id))
        return frozenset(taken)


def _held_by(connection: Connection, owner: str) -> bool:
    return connection.execute(select(leases.c.job_id).where(leases.c.owner == owner).limit(1)).first() is not None


def _stalled(seconds: float) -> Select[Any]:
    return select(leases).join(jobs, jobs.c.id == leases.c.job_id).where(jobs.c.worked_at < Now() - seconds)


def _end(transition: Transition) -> None:
    transition.connection.execute(delete(leases).where(leases.c.job_id == transition.job_id))


def _try_again(transition: Transition, failure: Failure, max_attempts: int, pause: float) -> None:
    if transition["attempt"] >= max_attempts:
        _give_up(transition, failure, dead_letter=True)
    else:
        transition.move(JobStatus.UPLOADED, failure, not_before=Now() + pause)


def _give_up(transition: Transition, failure: Failure, *, dead_letter: bool) -> None:
    end_open_outputs(transition, failure)
    transition.move(JobStatus.FAILED, failure, dead_letter=dead_letter)


def _pause(attempt: int) -> float:
    longest = min(_FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1), _LONGEST_PAUSE_SECONDS)
    # Jitter: jobs that failed together, as when the blob store was away, must not come back together.
    return SystemRandom().uniform(longest / 2, longest)
