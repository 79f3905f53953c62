"""What one process at a time does for all, such as supervising a flow."""

from sqlalchemy import Connection, delete, update

from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.database import insert_if_absent
from cluster.ledger.tables import duties


class Duties(LedgerBase):
    """Duties pass to whoever asks first after their owner has fallen silent. Everything here may be repeated."""

    def take_duty(self, name: str, owner: str, seconds: float) -> bool:
        """Take a duty that nobody has, or keep one's own, for so many seconds; returns whether it is one's own."""

        def take(connection: Connection) -> bool:
            if insert_if_absent(connection, duties, {"name": name, "owner": owner, "expires_at": Now() + seconds}):
                return True
            free = (duties.c.owner == owner) | (duties.c.expires_at < Now())
            mine = update(duties).where(duties.c.name == name, free).values(owner=owner, expires_at=Now() + seconds)
            return connection.execute(mine).rowcount > 0

        return self._database.write(take)

    def leave_duty(self, name: str, owner: str) -> None:
        """Let another process take a duty at once."""
        mine = delete(duties).where(duties.c.name == name, duties.c.owner == owner)
        self._database.write(lambda connection: connection.execute(mine))
