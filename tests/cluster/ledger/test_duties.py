from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import update

from cluster.ledger.ledger import Ledger
from cluster.ledger.tables import duties


def test_a_duty_has_one_owner_who_may_keep_it(ledger: Ledger) -> None:
    assert ledger.take_duty("supervise", "first", 60)
    assert not ledger.take_duty("supervise", "second", 60)
    assert ledger.take_duty("supervise", "first", 60)
    assert ledger.take_duty("sweep", "second", 60)


def test_a_duty_passes_on_when_its_owner_is_silent_or_leaves(ledger: Ledger) -> None:
    ledger.take_duty("supervise", "first", 60)
    ledger._database.write(lambda connection: connection.execute(update(duties).values(expires_at=0.0)))
    assert ledger.take_duty("supervise", "second", 60)
    assert not ledger.take_duty("supervise", "first", 60)
    ledger.leave_duty("supervise", "first")
    assert not ledger.take_duty("supervise", "first", 60)
    ledger.leave_duty("supervise", "second")
    assert ledger.take_duty("supervise", "first", 60)


def test_of_many_that_ask_at_once_one_gets_it(database_url: str) -> None:
    def ask(number: int) -> bool:
        ledger = Ledger(database_url)
        try:
            return ledger.take_duty("supervise", str(number), 60)
        finally:
            ledger.close()

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(8))) == 1
