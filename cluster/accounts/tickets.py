"""Tickets: how a browser's WebSocket, which cannot send headers, shows who opens it."""

from sqlalchemy import delete

from cluster.accounts.base import AccountsBase
from cluster.accounts.secrets import hash_of, new_token
from cluster.ledger.clock import Now
from cluster.ledger.database import insert_if_absent
from cluster.ledger.tables import tickets

TICKET_SECONDS = 30.0
"""How long a ticket may wait for its use."""


class Tickets(AccountsBase):
    """Each is good once, for one job, on behalf of one key; kept by its hash."""

    def issue_ticket(self, key_id: str, job_id: str, seconds: float = TICKET_SECONDS) -> str:
        """Make a ticket; it is in the answer and nowhere else."""
        ticket = new_token()
        values = {"hash": hash_of(ticket), "key_id": key_id, "job_id": job_id, "expires_at": Now() + seconds}
        self._database.write(lambda connection: insert_if_absent(connection, tickets, values))
        return ticket

    def redeem_ticket(self, ticket: str, job_id: str) -> str | None:
        """Use a ticket up and give the id of its key; None where it is none, was used, is too old or for another job.

        When the answer of the commit is lost the ticket counts as used: rather ask for another one than let two in.
        """
        matching = (tickets.c.hash == hash_of(ticket), tickets.c.job_id == job_id, tickets.c.expires_at > Now())
        used = delete(tickets).where(*matching).returning(tickets.c.key_id)
        return self._database.write(lambda connection: connection.scalar(used))
