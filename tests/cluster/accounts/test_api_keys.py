import time

import pytest
from sqlalchemy import select

from cluster.accounts.accounts import Accounts
from cluster.accounts.records import Limits, Scope
from cluster.accounts.secrets import read_key
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.tables import metadata
from tests.fixtures.accounts import let_time_pass

DAY = 86400.0


def everything_in(accounts: Accounts) -> str:
    rows = [
        accounts._database.read(lambda connection, table=table: connection.execute(select(table)).all())
        for table in metadata.sorted_tables
    ]
    return repr(rows)


def test_a_key_is_found_by_its_id_with_all_it_may_do(accounts: Accounts) -> None:
    key, text = accounts.create_key("acme", "laptop", [Scope.READ], expires_days=2)

    found = accounts.find_key(key.id)

    assert found is not None
    assert found.holder.key.tenant == "acme"
    assert found.holder.key.name == "laptop"
    assert found.holder.key.scopes == {Scope.READ}
    assert found.seconds_left == pytest.approx(2 * DAY, abs=60)
    shown = read_key(text)
    assert shown is not None
    assert shown.id == key.id
    assert shown.matches(found.secret_hash)


def test_a_copy_of_the_database_has_no_secret(accounts: Accounts) -> None:
    key, text = accounts.create_key("acme")
    session, ticket = accounts.open_session(key.id, 60), accounts.issue_ticket(key.id, "job")

    stored = everything_in(accounts)

    assert key.id in stored
    for secret in (text, text.rpartition("_")[2], text.rpartition("_")[2][:64], session, ticket):
        assert secret not in stored


def test_an_expired_key_is_not_found(accounts: Accounts) -> None:
    key, _ = accounts.create_key("acme", expires_days=1)

    let_time_pass(accounts, DAY)

    assert accounts.find_key(key.id) is None


def test_a_revoked_key_is_not_found_and_stays_in_the_list(accounts: Accounts) -> None:
    key, _ = accounts.create_key("acme")
    other, _ = accounts.create_key("other")

    revoked = accounts.revoke_key(key.id)

    assert accounts.find_key(key.id) is None
    assert accounts.find_key(other.id) is not None
    assert accounts.revoke_key(key.id) == revoked
    assert [one.id for one in accounts.list_keys()] == [key.id, other.id]
    assert [one.id for one in accounts.list_keys("acme")] == [key.id]


def test_a_service_whose_last_key_was_revoked_stays_closed(accounts: Accounts) -> None:
    assert not accounts.any_key()
    key, _ = accounts.create_key("acme")
    accounts.revoke_key(key.id)

    assert accounts.any_key()


def test_use_is_noted_but_not_each_time(accounts: Accounts) -> None:
    key, _ = accounts.create_key("acme")
    assert accounts.list_keys()[0].last_used_at is None

    accounts.find_key(key.id)
    first = accounts.list_keys()[0].last_used_at
    accounts.find_key(key.id)

    assert first == pytest.approx(time.time(), abs=60)
    assert accounts.list_keys()[0].last_used_at == first
    let_time_pass(accounts, 61)
    accounts.find_key(key.id)
    assert accounts.list_keys()[0].last_used_at == pytest.approx(time.time(), abs=60)


def test_a_tenants_own_limits_take_the_place_of_the_settings(accounts: Accounts) -> None:
    accounts._limits = Limits(requests_per_minute=600, concurrent_jobs=10)
    key, _ = accounts.create_key("acme")
    accounts.set_tenant("acme", limits={"requests_per_minute": 5})

    found = accounts.find_key(key.id)

    assert found is not None
    assert found.holder.limits == Limits(requests_per_minute=5, concurrent_jobs=10)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenant": "../acme"},
        {"tenant": ""},
        {"tenant": "a" * 65},
        {"tenant": "acme\n"},
        {"name": "two\nlines"},
        {"name": "nul\0"},
        {"scopes": []},
        {"expires_days": 0.0},
        {"expires_days": float("nan")},
    ],
)
def test_keys_that_make_no_sense_are_refused(accounts: Accounts, wrong: dict[str, object]) -> None:
    with pytest.raises(DubflowError) as refused:
        accounts.create_key(**({"tenant": "acme"} | wrong))

    assert refused.value.code is ErrorCode.INVALID_REQUEST
    assert accounts.list_keys() == ()


def test_revoking_a_key_that_does_not_exist_says_so(accounts: Accounts) -> None:
    with pytest.raises(DubflowError) as unknown:
        accounts.revoke_key("0" * 16)

    assert unknown.value.code is ErrorCode.NOT_FOUND
