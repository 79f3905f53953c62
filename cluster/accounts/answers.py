"""What `Idempotency-Key` promises: the same request again gets the same answer, and nothing is done twice."""

import json
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, RowMapping, select, update

from cluster.accounts.base import AccountsBase
from cluster.ledger.clock import Now
from cluster.ledger.database import insert_if_absent
from cluster.ledger.rows import to_json
from cluster.ledger.tables import idempotency_keys as answers

KEPT_SECONDS = 24 * 3600.0
"""How long an answer is given again."""

OWNER_SECONDS = 60.0
"""A request that has not said for so long that it is alive has died; the next one with its key takes over."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered. `fingerprint` is that of the request."""

    fingerprint: str
    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to answer the requests with one key.

    Attributes:
        owner: Who has it.
        seed: Names what the request makes; whoever takes over after a crash has the same, and so finds it.
        fingerprint: Of the request that a taken-over turn was for; empty where nothing can have come of that.
    """

    tenant: str
    key: str
    owner: str
    seed: str
    fingerprint: str = ""


class Answers(AccountsBase):
    """Kept for a day. A request takes its turn, fixes what it asks for, and keeps its answer or gives the turn back."""

    def take_turn(self, tenant: str, key: str) -> Turn | Answer | None:
        """A turn, the answer that there is already, or None while another request has the turn."""
        owner, seed = uuid4().hex, uuid4().hex
        new = {"tenant": tenant, "key": key, "fingerprint": "", "owner": owner, "seed": seed, "at": Now()}

        def take(connection: Connection) -> Turn | Answer | None:
            insert_if_absent(connection, answers, new)
            found = select(answers, (Now() - answers.c.at).label("age")).where(_is(tenant, key)).with_for_update()
            row = connection.execute(found).mappings().one()
            if row["status"] is not None and row["age"] < KEPT_SECONDS:
                return Answer(row["fingerprint"], row["status"], json.loads(row["headers"]), row["body"])
            return _turn(connection, row, owner, seed)

        return self._database.write(take)

    def renew_turn(self, turn: Turn) -> None:
        """Say that the request is alive."""
        self._update(turn, at=Now())

    def fix_turn(self, turn: Turn, fingerprint: str) -> bool:
        """Note what the request asks for, before anything is done; False where somebody has taken over."""
        return self._update(turn, fingerprint=fingerprint, at=Now())

    def keep_answer(self, turn: Turn, answer: Answer) -> None:
        """End the turn with an answer; nothing where somebody has taken over."""
        self._update(
            turn,
            fingerprint=answer.fingerprint,
            status=answer.status,
            headers=to_json(answer.headers),
            body=answer.body,
            at=Now(),
        )

    def give_back_turn(self, turn: Turn) -> None:
        """End the turn without an answer: the next request with the key has it, and the same seed."""
        self._update(turn, owner="", at=Now())

    def _update(self, turn: Turn, **columns: object) -> bool:
        mine = _is(turn.tenant, turn.key) & (answers.c.owner == turn.owner)
        changed = update(answers).where(mine).values(columns).returning(answers.c.key)
        return self._database.write(lambda connection: connection.execute(changed).first() is not None)


def _is(tenant: str, key: str) -> ColumnElement[bool]:
    return (answers.c.tenant == tenant) & (answers.c.key == key)


def _turn(connection: Connection, row: RowMapping, owner: str, seed: str) -> Turn | None:
    if row["status"] is not None:  # too old to be given again: the key begins anew
        mine = Turn(row["tenant"], row["key"], owner, seed)
    elif row["owner"] in {"", owner} or row["age"] >= OWNER_SECONDS:
        mine = Turn(row["tenant"], row["key"], owner, row["seed"], row["fingerprint"])
    else:
        return None
    columns = {"owner": mine.owner, "seed": mine.seed, "fingerprint": mine.fingerprint, "status": None}
    connection.execute(update(answers).where(_is(mine.tenant, mine.key)).values(**columns, at=Now()))
    return mine
