import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cluster.accounts.accounts import Accounts
from cluster.accounts.records import Limits
from tests.fixtures.accounts import let_time_pass
from tests.fixtures.databases import ForgetfulDatabase


@pytest.fixture
def accounts(database_url: str) -> Iterator[Accounts]:
    """Without the database that loses answers: there a ticket counts as used."""
    opened = Accounts(database_url, Limits())
    yield opened
    opened.close()


def test_a_ticket_is_good_once(accounts: Accounts) -> None:
    ticket = accounts.issue_ticket("key", "job")

    assert accounts.redeem_ticket(ticket, "job") == "key"
    assert accounts.redeem_ticket(ticket, "job") is None


def test_a_ticket_for_another_job_is_none_and_stays_good_for_its_own(accounts: Accounts) -> None:
    ticket = accounts.issue_ticket("key", "job")

    assert accounts.redeem_ticket(ticket, "other") is None
    assert accounts.redeem_ticket(ticket, "job") == "key"


def test_a_ticket_runs_out(accounts: Accounts) -> None:
    ticket = accounts.issue_ticket("key", "job")

    let_time_pass(accounts, 31)

    assert accounts.redeem_ticket(ticket, "job") is None


def test_a_forged_ticket_is_none(accounts: Accounts) -> None:
    ticket = accounts.issue_ticket("key", "job")

    assert accounts.redeem_ticket(ticket[:-1] + ("0" if ticket[-1] != "0" else "1"), "job") is None
    assert accounts.redeem_ticket("\ud800", "job") is None


def test_only_one_of_many_gets_in_with_a_ticket(accounts: Accounts) -> None:
    ticket = accounts.issue_ticket("key", "job")
    start = threading.Barrier(6)

    def redeem(_number: int) -> str | None:
        start.wait()
        return accounts.redeem_ticket(ticket, "job")

    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(redeem, range(6)))

    assert sorted(map(str, found)) == ["None"] * 5 + ["key"]


def test_a_ticket_whose_use_was_not_answered_counts_as_used(sqlite_url: str) -> None:
    accounts = Accounts(sqlite_url, Limits())
    ticket = accounts.issue_ticket("key", "job")
    accounts._database = ForgetfulDatabase(sqlite_url)

    assert accounts.redeem_ticket(ticket, "job") is None
    accounts.close()
