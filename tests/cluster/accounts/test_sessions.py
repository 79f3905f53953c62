import pytest

from cluster.accounts.accounts import Accounts
from tests.fixtures.accounts import let_time_pass

DAY = 86400.0


def test_a_session_stands_for_its_key_until_it_is_closed(accounts: Accounts) -> None:
    key, _ = accounts.create_key("acme")
    token, other = accounts.open_session(key.id, 60), accounts.open_session(key.id, 60)

    found = accounts.find_session(token)
    accounts.close_session(token)

    assert found is not None
    assert found.holder.key.id == key.id
    assert found.seconds_left == pytest.approx(60, abs=30)
    assert accounts.find_session(token) is None
    assert accounts.find_session(other) is not None


def test_a_session_ends_by_itself(accounts: Accounts) -> None:
    key, _ = accounts.create_key("acme")
    token = accounts.open_session(key.id, 60)

    let_time_pass(accounts, 61)

    assert accounts.find_session(token) is None


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_a_session_ends_with_its_key(accounts: Accounts, end: str) -> None:
    key, _ = accounts.create_key("acme", expires_days=1)
    token = accounts.open_session(key.id, 7 * DAY)
    found = accounts.find_session(token)
    assert found is not None
    assert found.seconds_left <= DAY

    if end == "revoked":
        accounts.revoke_key(key.id)
    else:
        let_time_pass(accounts, DAY)

    assert accounts.find_session(token) is None


def test_what_nobody_opened_is_no_session(accounts: Accounts) -> None:
    assert accounts.find_session("0" * 64) is None
    accounts.close_session("0" * 64)
