"""How often something may happen, counted in the database: exactly, however many processes ask."""

import time
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from cluster.ledger.clock import Now
from cluster.ledger.database import Database, insert_if_absent
from cluster.ledger.tables import rates

_TICKS = 2**20
"""In a second; times of this century in such ticks have 51 bits."""

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` times in `seconds`: at once from a full bucket, which fills again evenly."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one more was allowed.

    Attributes:
        remaining: How many more are allowed right after it.
        retry_after: Seconds until one more is allowed; 0 where it is now.
        full_after: Seconds until the bucket is full again.
    """

    allowed: bool
    remaining: int
    retry_after: float
    full_after: float


def spend(full_at: float, now: float, rate: Rate) -> tuple[Verdict, float]:
    """Take one from a bucket: the generic cell rate algorithm.

    The whole state is the moment when the bucket is full again; each one taken moves it by the time in which one comes
    back. Moments are counted in ticks that a float holds exactly, so that no rounding ever adds up to one more or less.

    Args:
        full_at: When the bucket is full again; anything in the past is a full one.
        now: On the same clock.
        rate: How large the bucket is and how fast it fills.

    Returns:
        The verdict, and when the bucket is full again after it.
    """
    one = max(1, round(rate.seconds * _TICKS / rate.count))
    present = int(now * _TICKS)
    full = max(int(full_at * _TICKS), present)
    left = rate.count - -(-(full - present) // one)  # what has come back in part has not come back
    if left < 1:
        wait = full - present - (rate.count - 1) * one
        return Verdict(False, 0, wait / _TICKS, (full - present) / _TICKS), full_at
    full += one
    wait = max(0, full - present - (rate.count - 1) * one)
    return Verdict(True, left - 1, wait / _TICKS, (full - present) / _TICKS), full / _TICKS


class Rates:
    """The buckets of everybody.

    A refusal stands until its time, whatever others do, so this process remembers it and spares the database the
    callers who do not wait. Buckets need not survive a power cut: their writes do not wait for the disk.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url, durable=False)
        self._refused: dict[str, tuple[Verdict, float]] = {}

    def spend(self, name: str, rate: Rate) -> Verdict:
        """Take one from a bucket.

        Args:
            name: Of the bucket: who, and what is limited.
            rate: Its size and speed.
        """
        asked_at = time.monotonic()
        if (known := self._refusal(name, asked_at)) is not None:
            return known
        verdict = self._spend(name, rate)
        if not verdict.allowed:
            self._remember(name, verdict, asked_at)
        return verdict

    def close(self) -> None:
        """Close this process's connections."""
        self._database.close()

    def _spend(self, name: str, rate: Rate) -> Verdict:
        taken: tuple[Verdict, float] | None = None

        def take(connection: Connection) -> Verdict:
            nonlocal taken
            full_at, now = _bucket(connection, name)
            if taken is not None and full_at >= taken[1]:
                return taken[0]  # the commit had succeeded, only its answer was lost
            taken = spend(full_at, now, rate)
            if taken[0].allowed:
                connection.execute(update(rates).where(rates.c.name == name).values(full_at=taken[1]))
            return taken[0]

        return self._database.write(take)

    def _refusal(self, name: str, now: float) -> Verdict | None:
        known = self._refused.get(name)
        if known is None:
            return None
        verdict, since = known
        waited = now - since
        if waited >= verdict.retry_after:
            self._refused.pop(name, None)
            return None
        return Verdict(False, 0, verdict.retry_after - waited, max(verdict.full_after - waited, 0.0))

    def _remember(self, name: str, verdict: Verdict, since: float) -> None:
        if len(self._refused) >= _REMEMBERED:
            self._refused.clear()
        self._refused[name] = verdict, since


def _bucket(connection: Connection, name: str) -> tuple[float, float]:
    """Lock a bucket: when it is full, and the time."""
    found = select(rates.c.full_at, Now().label("now")).where(rates.c.name == name).with_for_update()
    row = connection.execute(found).one_or_none()
    if row is None:
        insert_if_absent(connection, rates, {"name": name, "full_at": 0.0})
        row = connection.execute(found).one()
    return row.full_at, row.now
