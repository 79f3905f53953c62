import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, insert, select, update

from cluster.accounts.quotas import admission
from cluster.accounts.records import Limits
from cluster.errors import RateLimitedError
from cluster.ledger.clock import Now
from cluster.ledger.ledger import Ledger
from cluster.ledger.tables import usage
from tests.fixtures.ledgers import request

TWO_JOBS = admission("acme", Limits(concurrent_jobs=2))
HALF_AN_HOUR = admission("acme", Limits(media_minutes_per_day=30))


def use_media(ledger: Ledger, tenant: str, seconds: float) -> None:
    day = ledger._database.read(lambda connection: connection.scalar(select(func.date(_timestamp(ledger)))))
    row = {"tenant": tenant, "day": str(day), "media_seconds": seconds}
    ledger._database.write(lambda connection: connection.execute(insert(usage).values(row)))


def _timestamp(ledger: Ledger) -> object:
    return func.datetime("now") if ledger._database.is_sqlite else func.timezone("utc", func.now())


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    opened = Ledger(database_url)
    yield opened
    opened.close()


def test_jobs_above_the_limit_are_refused_until_one_has_ended(ledger: Ledger) -> None:
    first = ledger.submit(request("1", tenant="acme"), admission=TWO_JOBS)
    assert ledger.claim("worker") is not None
    ledger.submit(request("2", tenant="acme"), admission=TWO_JOBS)

    with pytest.raises(RateLimitedError) as refused:
        ledger.submit(request("3", tenant="acme"), admission=TWO_JOBS)
    assert refused.value.retry_after > 0
    assert ledger.submit(request("1", tenant="acme"), admission=TWO_JOBS).id == first.id
    assert ledger.submit(request("3", tenant="zeta")).request.tenant == "zeta"
    ledger.cancel(first.id)

    assert ledger.submit(request("3", tenant="acme"), admission=TWO_JOBS).request.tenant == "acme"


def test_doors_that_submit_together_keep_the_limit_exactly(ledger: Ledger) -> None:
    start = threading.Barrier(8)

    def submit(number: int) -> bool:
        start.wait()
        try:
            ledger.submit(request(str(number), tenant="acme"), admission=TWO_JOBS)
        except RateLimitedError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        accepted = list(threads.map(submit, range(8)))

    assert sum(accepted) == 2
    assert len(ledger.jobs(tenant="acme").jobs) == 2


@pytest.mark.parametrize("how", ["requeue", "add_languages"])
def test_jobs_that_are_queued_again_count_too(ledger: Ledger, how: str) -> None:
    ended = ledger.submit(request("0", tenant="acme"))
    ledger.cancel(ended.id)
    running = [ledger.submit(request(str(number), tenant="acme")) for number in (1, 2)]

    def again() -> None:
        if how == "requeue":
            ledger.requeue(ended.id, admission=TWO_JOBS)
        else:
            ledger.add_languages(ended.id, ["fr"], admission=TWO_JOBS)

    with pytest.raises(RateLimitedError):
        again()
    assert ledger.job(ended.id).status == "cancelled"
    assert ledger.job(ended.id).request.target_languages == ("es",)
    ledger.cancel(running[0].id)
    again()
    assert ledger.job(ended.id).status == "uploaded"


def test_a_day_whose_minutes_are_used_up_takes_no_more_jobs(ledger: Ledger) -> None:
    use_media(ledger, "acme", 1799)
    ledger.submit(request("1", tenant="acme"), admission=HALF_AN_HOUR)
    ledger._database.write(lambda connection: connection.execute(update(usage).values(media_seconds=1800)))

    with pytest.raises(RateLimitedError) as refused:
        ledger.submit(request("2", tenant="acme"), admission=HALF_AN_HOUR)

    now = ledger._database.read(lambda connection: connection.execute(select(Now())).scalar_one())
    assert (now + refused.value.retry_after + 43_200) % 86_400 == pytest.approx(43_200, abs=60)
    assert ledger.submit(request("2", tenant="zeta"), admission=admission("zeta", Limits(media_minutes_per_day=30)))


def test_yesterdays_minutes_are_forgotten(ledger: Ledger) -> None:
    use_media(ledger, "acme", 10_000)
    ledger._database.write(lambda connection: connection.execute(update(usage).values(day="2020-01-01")))

    assert ledger.submit(request("1", tenant="acme"), admission=HALF_AN_HOUR)


def test_no_limit_is_no_limit(ledger: Ledger) -> None:
    use_media(ledger, "acme", 10_000)
    for number in range(4):
        ledger.submit(request(str(number), tenant="acme"), admission=admission("acme", Limits()))
