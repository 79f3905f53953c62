import pytest
from sqlalchemy import Connection, Table, func, select

from cluster.accounts.accounts import Accounts
from cluster.accounts.exposure import require_key_beyond_loopback
from cluster.accounts.rates import Rate
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.database import insert_if_absent
from cluster.ledger.tables import idempotency_keys, rates, sessions, tickets, usage
from tests.fixtures.accounts import let_time_pass


def rows(accounts: Accounts) -> dict[str, int]:
    def count(connection: Connection, table: Table) -> int:
        return connection.scalar(select(func.count()).select_from(table)) or 0

    tables = (tickets, sessions, idempotency_keys, rates, usage)
    return {
        table.name: accounts._database.read(lambda connection, table=table: count(connection, table))
        for table in tables
    }


def fill(accounts: Accounts, day: str) -> None:
    accounts.issue_ticket("key", "job")
    accounts.open_session("key", 7 * 86400)
    accounts.take_turn("acme", f"key of {day}")
    accounts.rates._spend(f"bucket of {day}", Rate(1, 1000))
    used = {"tenant": "acme", "day": day, "media_seconds": 1.0}
    accounts._database.write(lambda connection: insert_if_absent(connection, usage, used))


def test_sweeping_removes_what_has_run_out_and_nothing_else(accounts: Accounts) -> None:
    fill(accounts, "2020-01-01")
    let_time_pass(accounts, 8 * 86400)
    fill(accounts, "2999-01-01")
    assert set(rows(accounts).values()) == {2}

    accounts.sweep()

    assert set(rows(accounts).values()) == {1}
    assert accounts.take_turn("acme", "key of 2999-01-01") is None
    accounts.sweep()
    assert set(rows(accounts).values()) == {1}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "service.example.org", ""])
def test_a_service_without_keys_stays_on_this_machine(accounts: Accounts, host: str) -> None:
    with pytest.raises(DubflowError, match="dubflow keys create") as refused:
        require_key_beyond_loopback(host, accounts)
    assert refused.value.code is ErrorCode.ENVIRONMENT

    accounts.create_key("acme")
    require_key_beyond_loopback(host, accounts)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_on_this_machine_a_service_needs_no_key(accounts: Accounts, host: str) -> None:
    require_key_beyond_loopback(host, accounts)
