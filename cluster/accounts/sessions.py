"""Browsers that have logged in: a session is good for as long as its key is, and no longer than it was given."""

from dataclasses import replace

from sqlalchemy import Connection, RowMapping, delete, select

from cluster.accounts.api_keys import ApiKeys, FoundKey, read_good
from cluster.accounts.secrets import hash_of, new_token
from cluster.ledger.clock import Now
from cluster.ledger.database import insert_if_absent
from cluster.ledger.tables import sessions


class Sessions(ApiKeys):
    """Kept by the hash of their token, so that a copy of the database logs nobody in."""

    def open_session(self, key_id: str, seconds: float) -> str:
        """Log in with a key; the token is in the answer and nowhere else."""
        token = new_token()
        values = {"hash": hash_of(token), "key_id": key_id, "expires_at": Now() + seconds}
        self._database.write(lambda connection: insert_if_absent(connection, sessions, values))
        return token

    def close_session(self, token: str) -> None:
        """Log out; harmless where nobody is logged in."""
        gone = delete(sessions).where(sessions.c.hash == hash_of(token))
        self._database.write(lambda connection: connection.execute(gone))

    def find_session(self, token: str) -> FoundKey | None:
        """The key behind a session, while both are good."""

        def read(connection: Connection) -> tuple[RowMapping, float] | None:
            session = connection.execute(
                select(sessions.c.key_id, (sessions.c.expires_at - Now()).label("left")).where(
                    sessions.c.hash == hash_of(token), sessions.c.expires_at > Now()
                )
            ).one_or_none()
            row = session and read_good(connection, session.key_id)
            return (row, session.left) if session and row else None

        if (read_now := self._database.read(read)) is None:
            return None
        row, seconds = read_now
        found = self._used(row)
        return replace(found, seconds_left=min(found.seconds_left, seconds))
