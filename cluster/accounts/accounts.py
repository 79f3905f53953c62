"""The accounts: who may use the service and how much of it, for any number of processes over one database."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, select

from cluster.accounts.answers import KEPT_SECONDS, Answers
from cluster.accounts.rates import Rates
from cluster.accounts.records import Limits
from cluster.accounts.sessions import Sessions
from cluster.accounts.tenants import Tenants
from cluster.accounts.tickets import Tickets
from cluster.ledger.clock import Now
from cluster.ledger.tables import idempotency_keys, rates, sessions, tickets, usage

_USAGE_DAYS = 400


class Accounts(Tenants, Sessions, Tickets, Answers):
    """Tenants, keys, sessions, tickets, kept answers and rates, over a database that has the ledger's tables.

    Each base class is one side of it. May be used from any thread.

    Args:
        url: SQLAlchemy URL of the ledger's database.
        limits: Of tenants that have none of their own.
    """

    def __init__(self, url: str, limits: Limits) -> None:
        super().__init__(url, limits)
        self.rates = Rates(url)

    def sweep(self) -> None:
        """Remove what has run out: it has no effect any more, it only takes space."""

        def remove(connection: Connection) -> None:
            now = connection.execute(select(Now())).scalar_one()
            oldest = datetime.fromtimestamp(now, UTC).date() - timedelta(days=_USAGE_DAYS)
            connection.execute(delete(tickets).where(tickets.c.expires_at <= now))
            connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
            connection.execute(delete(idempotency_keys).where(idempotency_keys.c.at <= now - KEPT_SECONDS))
            connection.execute(delete(usage).where(usage.c.day < oldest.isoformat()))
            connection.execute(delete(rates).where(rates.c.full_at <= now))

        self._database.write(remove)

    def close(self) -> None:
        """Close this process's connections."""
        self._database.close()
        self.rates.close()
