"""How much media a tenant has used today; days are UTC, and the ledger writes it down when a source is decoded."""

from datetime import UTC, date, datetime

from sqlalchemy import Connection, select

from cluster.ledger.clock import Now
from cluster.ledger.tables import usage

_DAY = 86400.0


def used_media_seconds(connection: Connection, tenant: str) -> float:
    """What a tenant has used today."""
    day = _day(_now(connection)).isoformat()
    used = select(usage.c.media_seconds).where(usage.c.tenant == tenant, usage.c.day == day)
    return connection.scalar(used) or 0.0


def seconds_to_next_day(connection: Connection) -> float:
    """How long today's use counts."""
    return _DAY - _now(connection) % _DAY  # days of the UTC clock are all of one length


def _now(connection: Connection) -> float:
    return connection.execute(select(Now())).scalar_one()


def _day(now: float) -> date:
    return datetime.fromtimestamp(now, UTC).date()
