"""What every part of the accounts stands on."""

from cluster.accounts.records import Limits
from cluster.ledger.database import Database


class AccountsBase:
    """The ledger's database, and the limits of tenants that have none of their own."""

    def __init__(self, url: str, limits: Limits) -> None:
        self._database = Database(url)
        self._limits = limits
