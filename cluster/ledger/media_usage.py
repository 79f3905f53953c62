"""How much media was worked on, by whom and when: what quotas are counted by."""

from datetime import UTC, datetime

from sqlalchemy import select, update

from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.database import insert_if_absent
from cluster.ledger.records import Lease
from cluster.ledger.tables import usage
from cluster.ledger.transition import Transition


class MediaUsage(LedgerBase):
    """The meter."""

    def record_media_seconds(self, lease: Lease, seconds: float) -> None:
        """Keep the decoded length of a job's source, and charge its tenant for it, once in the life of the job.

        Raises:
            LeaseLostError: The lease is gone.
        """

        def record(transition: Transition) -> None:
            if transition["media_seconds"] is not None:
                return
            transition.set(media_seconds=seconds)
            connection, tenant, day = transition.connection, transition["tenant"], _today(transition)
            insert_if_absent(connection, usage, {"tenant": tenant, "day": day, "media_seconds": 0.0})
            today = update(usage).where(usage.c.tenant == tenant, usage.c.day == day)
            connection.execute(today.values(media_seconds=usage.c.media_seconds + seconds))

        self._work(lease, record)


def _today(transition: Transition) -> str:
    now: float = transition.connection.execute(select(Now())).scalar_one()
    return datetime.fromtimestamp(now, UTC).date().isoformat()
