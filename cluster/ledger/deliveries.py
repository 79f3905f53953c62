"""What is still to be told to webhooks; a row is written in the transaction that ends a job (see Transition.move)."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_bytes
from typing import Any

from sqlalchemy import Connection, RowMapping, select, tuple_, update

from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.database import insert_if_absent
from cluster.ledger.tables import deliveries, tenants, undelivered

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one receiver, in the hands of a sender.

    Attributes:
        id: Stays the same whenever it is sent again, so that receivers can tell.
        body: JSON, to be sent and signed as it is.
        attempts: How often it was taken in hand, this time included.
    """

    id: str
    job_id: str
    tenant: str
    url: str
    body: str
    attempts: int


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """How far a message is: `waiting`, `delivered` or `given_up`, and how its last attempt ended."""

    id: str
    body: str
    status: str
    attempts: int
    answer: str | None


class Deliveries(LedgerBase):
    """The senders' side of the ledger; any number of them work side by side.

    A message in hand that its sender says nothing of is given to another after a while: a receiver may get it twice,
    never not at all. What a sender says too late, when another has the message, changes nothing.
    """

    def claim_deliveries(self, limit: int, seconds: float) -> tuple[Delivery, ...]:
        """Take messages that are due, those first that wait longest, for so many seconds."""
        taken: list[tuple[str, int]] = []

        def take(connection: Connection) -> tuple[Delivery, ...]:
            # Run again after a lost answer, this finds what it took instead of leaving it until its time is over.
            nonlocal taken
            if taken and (kept := _in_hand(connection, taken)):
                return kept
            due = undelivered & (deliveries.c.next_at <= Now())
            rows = select(deliveries).where(due).order_by(deliveries.c.next_at).limit(limit)
            found = connection.execute(rows.with_for_update(skip_locked=True)).mappings().all()
            taken = [(row["id"], row["attempts"] + 1) for row in found]
            ids = [name for name, _ in taken]
            connection.execute(
                update(deliveries)
                .where(deliveries.c.id.in_(ids))
                .values(attempts=deliveries.c.attempts + 1, next_at=Now() + seconds)
            )
            return tuple(_delivery(row, row["attempts"] + 1) for row in found)

        return self._database.write(take) if self._database.read(_anything_due) else ()

    def delivered(self, delivery: Delivery, answer: str) -> None:
        """Record that the receiver has taken it."""
        self._end(delivery, status="delivered", answer=answer)

    def give_up(self, delivery: Delivery, answer: str) -> None:
        """Record that the receiver will never take it."""
        self._end(delivery, status="given_up", answer=answer)

    def give_up_receiver(self, delivery: Delivery, answer: str) -> None:
        """Record that the receiver is gone for good, with all that still waits for it."""
        self._end(delivery, status="given_up", answer=answer)
        receiver = undelivered & (deliveries.c.tenant == delivery.tenant) & (deliveries.c.url == delivery.url)
        all_of_it = update(deliveries).where(receiver).values(status="given_up", answer=answer)
        self._database.write(lambda connection: connection.execute(all_of_it))

    def postpone(self, delivery: Delivery, answer: str, seconds: float) -> None:
        """Record that this attempt failed; the next one is due after so many seconds."""
        self._end(delivery, answer=answer, next_at=Now() + seconds)

    def deliveries(self, job_id: str) -> tuple[DeliveryState, ...]:
        """The messages about a job, oldest first."""
        rows = select(deliveries).where(deliveries.c.job_id == job_id).order_by(deliveries.c.created_at)
        return self._database.read(
            lambda connection: tuple(
                DeliveryState(row["id"], row["body"], row["status"], row["attempts"], row["answer"])
                for row in connection.execute(rows).mappings()
            )
        )

    def webhook_secrets(self, tenant: str) -> tuple[str, ...]:
        """The secrets that messages to a tenant are signed with, newest first; made when they are asked for first."""
        read = select(tenants.c.webhook_secret).where(tenants.c.id == tenant)
        secrets = self._database.read(lambda connection: connection.scalar(read))
        if secrets is None:
            secrets = self._set_secret(tenant, lambda known: known or _new_secret())
        return tuple(secrets.split())

    def rotate_webhook_secret(self, tenant: str) -> str:
        """Make a new secret for a tenant; messages are signed with the one before it too, until the next rotation."""
        new = _new_secret()

        def rotated(known: str | None) -> str:
            secrets = (known or "").split()
            return " ".join(secrets if new in secrets else [new, *secrets[:1]])

        self._set_secret(tenant, rotated)
        return new

    def _set_secret(self, tenant: str, change: Callable[[str | None], str]) -> str:
        row = select(tenants.c.webhook_secret).where(tenants.c.id == tenant).with_for_update()

        def write(connection: Connection) -> str:
            insert_if_absent(connection, tenants, {"id": tenant, "turn": 0})
            secrets = change(connection.scalar(row))
            connection.execute(update(tenants).where(tenants.c.id == tenant).values(webhook_secret=secrets))
            return secrets

        return self._database.write(write)

    def _end(self, delivery: Delivery, **columns: Any) -> None:
        still_mine = undelivered & (deliveries.c.id == delivery.id) & (deliveries.c.attempts == delivery.attempts)
        ended = update(deliveries).where(still_mine).values(**columns)
        self._database.write(lambda connection: connection.execute(ended))


def _anything_due(connection: Connection) -> bool:
    due = select(deliveries.c.next_at).where(undelivered, deliveries.c.next_at <= Now())
    return connection.execute(due.order_by(deliveries.c.next_at).limit(1)).first() is not None


def _in_hand(connection: Connection, taken: list[tuple[str, int]]) -> tuple[Delivery, ...]:
    mine = undelivered & tuple_(deliveries.c.id, deliveries.c.attempts).in_(taken)
    rows = connection.execute(select(deliveries).where(mine).order_by(deliveries.c.next_at)).mappings()
    return tuple(_delivery(row, row["attempts"]) for row in rows)


def _delivery(row: RowMapping, attempts: int) -> Delivery:
    return Delivery(row["id"], row["job_id"], row["tenant"], row["url"], row["body"], attempts)


def _new_secret() -> str:
    return "whsec_" + b64encode(token_bytes(_SECRET_BYTES)).decode()
