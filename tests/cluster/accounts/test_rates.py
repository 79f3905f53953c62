from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.accounts.accounts import Accounts
from cluster.accounts.rates import Rate, Rates, spend
from tests.fixtures import account_workers
from tests.fixtures.accounts import let_time_pass
from tests.fixtures.processes import PROCESSES

NOW = 1_790_000_000.0
A_LITTLE_MORE = 1.02  # the fastest of these rates has a hundred ticks of the clock to one request

rates = st.builds(Rate, st.integers(1, 1000), st.floats(0.1, 100_000))
pauses = st.lists(st.floats(0, 50), min_size=1, max_size=120)


def arrivals(pauses: list[float], rate: Rate) -> list[tuple[float, bool]]:
    """Who came when, and whether they were let in; pauses are in units of the time in which one comes back."""
    now, full_at, seen = NOW, 0.0, []
    for pause in pauses:
        now += pause * rate.seconds / rate.count
        verdict, full_at = spend(full_at, now, rate)
        seen.append((now, verdict.allowed))
    return seen


@given(rates)
def test_a_full_bucket_holds_exactly_its_count(rate: Rate) -> None:
    assert sum(allowed for _, allowed in arrivals([0.0] * (rate.count + 5), rate)) == rate.count


@given(rates, pauses)
def test_no_window_sees_more_than_the_bucket_and_what_came_back_meanwhile(rate: Rate, pauses: list[float]) -> None:
    let_in = [now for now, allowed in arrivals(pauses, rate) if allowed]

    for first, start in enumerate(let_in):
        for last, end in enumerate(let_in[first:], first):
            came_back = (end - start) * rate.count / rate.seconds * A_LITTLE_MORE
            assert last - first + 1 <= rate.count + came_back + 1


@given(rates, pauses)
def test_whoever_keeps_to_the_rate_is_always_let_in(rate: Rate, pauses: list[float]) -> None:
    assert all(allowed for _, allowed in arrivals([A_LITTLE_MORE + pause for pause in pauses], rate))


@given(rates, pauses)
def test_whoever_waits_as_told_is_let_in_and_whoever_does_not_is_not(rate: Rate, pauses: list[float]) -> None:
    now, full_at = NOW, 0.0
    for pause in pauses:
        now += pause * rate.seconds / rate.count
        verdict, full_at = spend(full_at, now, rate)
        if not verdict.allowed:
            assert verdict.retry_after > 0
            assert not spend(full_at, now + verdict.retry_after / 100, rate)[0].allowed
            assert spend(full_at, now + verdict.retry_after, rate)[0].allowed


@given(rates, pauses)
def test_what_is_left_can_be_used_at_once(rate: Rate, pauses: list[float]) -> None:
    now, full_at = NOW, 0.0
    for pause in pauses:
        now += pause * rate.seconds / rate.count
        verdict, full_at = spend(full_at, now, rate)
    left = verdict.remaining

    allowed = 0
    while spend(full_at, now, rate)[0].allowed:
        _, full_at = spend(full_at, now, rate)
        allowed += 1

    assert allowed == left
    assert 0 <= verdict.full_after <= rate.seconds * (1 + 1 / rate.count)


@given(rates, st.floats(-1e9, 1e9))
def test_refusals_cost_nothing(rate: Rate, full_after: float) -> None:
    full_at = NOW + full_after
    verdict, then = spend(full_at, NOW, rate)

    assert verdict.allowed or then == full_at


def test_buckets_are_apart(accounts: Accounts) -> None:
    once = Rate(1, 1000)

    assert accounts.rates.spend("one", once).allowed
    assert not accounts.rates.spend("one", once).allowed
    assert accounts.rates.spend("other", once).allowed


def test_a_bucket_tells_what_is_left_and_when_to_come_back(accounts: Accounts) -> None:
    rate = Rate(3, 3000)

    left = [accounts.rates.spend("one", rate) for _ in range(4)]

    assert [(one.allowed, one.remaining) for one in left] == [(True, 2), (True, 1), (True, 0), (False, 0)]
    assert left[2].retry_after == pytest.approx(1000, abs=60)
    assert left[3].retry_after == pytest.approx(1000, abs=60)
    assert left[3].full_after == pytest.approx(3000, abs=60)


def test_a_bucket_fills_again(accounts: Accounts) -> None:
    rate = Rate(2, 200)
    for _ in range(2):
        accounts.rates.spend("one", rate)
    let_time_pass(accounts, 100)

    other = Rates(accounts._database.url.render_as_string(hide_password=False))
    assert [other.spend("one", rate).allowed for _ in range(2)] == [True, False]
    other.close()


def test_a_refusal_is_remembered_without_asking_and_no_longer_than_it_stands(accounts: Accounts) -> None:
    rate = Rate(1, 0.2)
    accounts.rates.spend("one", rate)
    refused = accounts.rates.spend("one", rate)
    while not refused.allowed:
        assert 0 < refused.retry_after <= 0.2
        refused = accounts.rates.spend("one", rate)

    assert "one" not in accounts.rates._refused


@pytest.mark.faults
def test_processes_that_hammer_together_are_let_in_exactly_as_often_as_one(database_url: str, tmp_path: Path) -> None:
    rate = Rate(100, 10_000_000.0)  # nothing comes back during the test
    journals = [tmp_path / str(number) for number in range(3)]
    running = [
        PROCESSES.Process(target=account_workers.spend_all_the_time, args=(database_url, rate, 80, journal))
        for journal in journals
    ]
    for process in running:
        process.start()
    for process in running:
        process.join()

    assert [process.exitcode for process in running] == [0, 0, 0]
    let_in = [int(journal.read_text()) for journal in journals]
    assert sum(let_in) == 100
