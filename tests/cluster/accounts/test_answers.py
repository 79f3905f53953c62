import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cluster.accounts.accounts import Accounts
from cluster.accounts.answers import KEPT_SECONDS, OWNER_SECONDS, Answer, Turn
from tests.fixtures.accounts import let_time_pass

ANSWER = Answer("print", 202, {"location": "/api/v1/jobs/1"}, '{"job_id": "día"}')


def turn(accounts: Accounts, tenant: str = "acme", key: str = "key") -> Turn:
    taken = accounts.take_turn(tenant, key)
    assert isinstance(taken, Turn)
    return taken


def test_the_first_answer_is_given_again_for_a_day(accounts: Accounts) -> None:
    mine = turn(accounts)
    assert accounts.fix_turn(mine, "print")
    accounts.keep_answer(mine, ANSWER)

    assert accounts.take_turn("acme", "key") == ANSWER
    let_time_pass(accounts, KEPT_SECONDS - 60)
    assert accounts.take_turn("acme", "key") == ANSWER
    let_time_pass(accounts, 61)
    new = turn(accounts)
    assert new.seed != mine.seed
    assert new.fingerprint == ""
    assert accounts.take_turn("acme", "key") is None


def test_only_one_has_the_turn(accounts: Accounts) -> None:
    start = threading.Barrier(6)

    def take(_number: int) -> bool:
        start.wait()
        return isinstance(accounts.take_turn("acme", "key"), Turn)

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(take, range(6))) == 1


def test_tenants_and_keys_do_not_meet(accounts: Accounts) -> None:
    mine = turn(accounts)

    assert turn(accounts, tenant="zeta").seed != mine.seed
    assert turn(accounts, key="other").seed != mine.seed


def test_the_turn_of_a_dead_request_passes_on_with_its_seed_and_what_it_was_for(accounts: Accounts) -> None:
    dead = turn(accounts)
    accounts.fix_turn(dead, "print")
    let_time_pass(accounts, OWNER_SECONDS + 1)

    heir = turn(accounts)

    assert (heir.seed, heir.fingerprint) == (dead.seed, "print")
    assert heir.owner != dead.owner
    assert not accounts.fix_turn(dead, "other")
    accounts.keep_answer(dead, ANSWER)
    assert accounts.take_turn("acme", "key") is None


def test_a_request_that_says_it_is_alive_keeps_its_turn(accounts: Accounts) -> None:
    mine = turn(accounts)
    let_time_pass(accounts, OWNER_SECONDS - 5)
    accounts.renew_turn(mine)
    let_time_pass(accounts, OWNER_SECONDS - 5)

    assert accounts.take_turn("acme", "key") is None


@pytest.mark.parametrize("fixed", [True, False])
def test_a_turn_that_is_given_back_passes_on_at_once(accounts: Accounts, fixed: bool) -> None:
    mine = turn(accounts)
    if fixed:
        accounts.fix_turn(mine, "print")
    accounts.give_back_turn(mine)

    heir = turn(accounts)

    assert (heir.seed, heir.fingerprint) == (mine.seed, "print" if fixed else "")
