from collections.abc import Iterator

import pytest

from cluster.accounts.accounts import Accounts
from cluster.accounts.identities import REMEMBERED_SECONDS, Identities
from cluster.accounts.records import Limits
from cluster.accounts.secrets import new_key


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(sqlite_url: str) -> Iterator[Accounts]:
    opened = Accounts(sqlite_url, Limits())
    yield opened
    opened.close()


@pytest.fixture
def identities(accounts: Accounts, clock: Clock) -> Identities:
    return Identities(accounts, clock)


def test_revoking_takes_effect_within_a_minute(accounts: Accounts, identities: Identities, clock: Clock) -> None:
    key, text = accounts.create_key("acme")
    session = accounts.open_session(key.id, 1000)
    for who in (identities.of_key(text), identities.of_session(session), identities.of_key_id(key.id)):
        assert who is not None
        assert who.key.tenant == "acme"

    accounts.revoke_key(key.id)
    clock.now += REMEMBERED_SECONDS

    assert REMEMBERED_SECONDS <= 60
    assert identities.of_key(text) is None
    assert identities.of_session(session) is None
    assert identities.of_key_id(key.id) is None


def test_good_keys_are_not_looked_up_each_time(
    accounts: Accounts, identities: Identities, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = accounts.create_key("acme")
    identities.of_key(text)
    monkeypatch.setattr(accounts, "find_key", None)

    assert identities.of_key(text) is not None


def test_a_key_is_not_remembered_beyond_its_end(accounts: Accounts, identities: Identities, clock: Clock) -> None:
    key, text = accounts.create_key("acme", expires_days=10 / 86400)
    session = accounts.open_session(key.id, 5)
    assert identities.of_key(text) is not None
    assert identities.of_session(session) is not None
    accounts.revoke_key(key.id)  # the database would say no, as it will when the time has come

    clock.now += 5
    assert identities.of_session(session) is None
    clock.now += 5
    assert identities.of_key(text) is None


def test_the_id_of_a_known_key_opens_nothing(accounts: Accounts, identities: Identities) -> None:
    key, text = accounts.create_key("acme")
    assert identities.of_key(text) is not None
    forged = new_key()
    forged_id = f"dub_{key.id}_{forged.split('_')[2]}"

    assert identities.of_key(forged_id) is None
    assert identities.of_key(forged) is None
    assert identities.of_key(text) is not None


def test_logging_out_takes_effect_at_once_where_it_is_done(accounts: Accounts, identities: Identities) -> None:
    key, _ = accounts.create_key("acme")
    session = accounts.open_session(key.id, 1000)
    assert identities.of_session(session) is not None

    accounts.close_session(session)
    identities.forget_session(session)

    assert identities.of_session(session) is None


def test_the_first_key_closes_the_service_soon_and_for_good(
    accounts: Accounts, identities: Identities, clock: Clock
) -> None:
    assert identities.none_exists()
    accounts.create_key("acme")
    clock.now += 60

    assert not identities.none_exists()
    assert not Identities(accounts, clock).none_exists()
