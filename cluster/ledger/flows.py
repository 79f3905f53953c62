"""Which flows run, and whether they are being drained: a flow's actors live on other machines than who stops it."""

from collections.abc import Collection

from sqlalchemy import Connection, case, delete, func, insert, select, update

from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.database import insert_if_absent
from cluster.ledger.records import FlowState, InHand, Lease, Priority, Stage
from cluster.ledger.tables import flows, jobs, leases, processing_stages


class Flows(LedgerBase):
    """The drivers' side of the ledger. Everything here may be repeated."""

    def flow_started(self, owner: str, cell: str, configuration: str) -> None:
        """Make a service's flow known to its supervisor."""

        def write(connection: Connection) -> None:
            connection.execute(delete(flows).where(flows.c.owner == owner))
            row = {"owner": owner, "cell": cell, "configuration": configuration, "grown_bytes": 0}
            connection.execute(insert(flows).values(**row, started_at=Now(), beat_at=Now()))

        self._database.write(write)

    def flow_beats(self, owner: str, grown_bytes: int) -> None:
        """Note that a flow's executor turns, and how much memory its process has gained."""
        beat = update(flows).where(flows.c.owner == owner).values(beat_at=Now(), grown_bytes=grown_bytes)
        self._database.write(lambda connection: connection.execute(beat))

    def flow_ended(self, owner: str) -> None:
        """Forget a flow."""
        self._database.write(lambda connection: connection.execute(delete(flows).where(flows.c.owner == owner)))

    def flows(self, cell: str) -> tuple[FlowState, ...]:
        """The flows of a cell, oldest first: one, except for moments or where another could not say goodbye."""
        known = (
            select(
                flows,
                (Now() - flows.c.started_at).label("age"),
                (Now() - flows.c.beat_at).label("silent"),
                (Now() - flows.c.drained_at).label("draining"),
            )
            .where(flows.c.cell == cell)
            .order_by(flows.c.started_at, flows.c.owner)
        )
        return self._database.read(
            lambda connection: tuple(
                FlowState(row.owner, cell, row.configuration, row.age, row.silent, row.draining, row.grown_bytes)
                for row in connection.execute(known)
            )
        )

    def drain(self, owner: str) -> None:
        """Let an owner's flow claim no further jobs and begin no further parts; parts in hand may still end."""

        def write(connection: Connection) -> None:
            insert_if_absent(connection, flows, {"owner": owner})
            first = update(flows).where(flows.c.owner == owner, flows.c.drained_at.is_(None))
            connection.execute(first.values(drained_at=Now()))

        self._database.write(write)

    def draining(self, owner: str) -> bool:
        """Whether an owner's flow is being drained."""
        return self._database.read(lambda connection: is_draining(connection, owner))

    def leases_of(self, owner: str) -> tuple[Lease, ...]:
        """The jobs that an owner holds."""
        mine = select(leases).where(leases.c.owner == owner)
        return self._database.read(
            lambda connection: tuple(Lease(row.job_id, row.owner, row.fence) for row in connection.execute(mine))
        )

    def standing(self, held: Collection[Lease]) -> frozenset[Lease]:
        """Those of some leases that still stand: the others' jobs were cancelled, taken back or handed on."""
        wanted = select(leases).where(leases.c.job_id.in_({lease.job_id for lease in held}))
        found = self._database.read(
            lambda connection: {Lease(row.job_id, row.owner, row.fence) for row in connection.execute(wanted)}
        )
        return frozenset(found.intersection(held))

    def parts_over(self, owner: str, stage: Stage) -> dict[Lease, int]:
        """For each job that an owner holds, how many of its parts of a stage are over, in all languages together."""
        over = func.coalesce(func.sum(processing_stages.c.done + processing_stages.c.failed), 0)
        same = (processing_stages.c.job_id == leases.c.job_id) & (processing_stages.c.stage == stage.value)
        counted = (
            select(leases.c.job_id, leases.c.fence, over.label("over"))
            .select_from(leases.outerjoin(processing_stages, same))
            .where(leases.c.owner == owner)
            .group_by(leases.c.job_id, leases.c.fence)
        )
        return self._database.read(
            lambda connection: {
                Lease(row.job_id, owner, row.fence): int(row.over) for row in connection.execute(counted)
            }
        )

    def in_hand(self, owner: str) -> InHand:
        """How many jobs an owner holds."""
        urgent = func.sum(case((jobs.c.priority >= Priority.INTERACTIVE.value, 1), else_=0))
        counted = (
            select(func.count(), func.coalesce(urgent, 0))
            .select_from(leases.join(jobs, jobs.c.id == leases.c.job_id))
            .where(leases.c.owner == owner)
        )
        total, interactive = self._database.read(lambda connection: connection.execute(counted).one())
        return InHand(int(interactive), total - int(interactive))


def is_draining(connection: Connection, owner: str) -> bool:
    """Whether an owner's flow is being drained."""
    asked = select(flows.c.owner).where(flows.c.owner == owner, flows.c.drained_at.is_not(None))
    return connection.execute(asked).first() is not None
