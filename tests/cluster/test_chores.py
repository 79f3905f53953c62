import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from cluster import chores
from cluster.accounts.accounts import Accounts
from cluster.accounts.records import Limits
from cluster.chores import do_chores
from cluster.ledger.ledger import Ledger
from cluster.ledger.tables import tickets
from cluster.settings import Settings
from tests.cluster.ledger.test_deliveries import cancelled
from tests.fixtures.doors import service_settings
from tests.fixtures.receivers import receiver


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory, sqlite_url: str) -> Settings:
    return service_settings(tmp_path_factory.mktemp("home"), sqlite_url, webhook_allow_private=True)


def test_chores_are_done_until_told_to_stop_whatever_fails(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter([OSError("unforeseen"), RuntimeError("again")])
    original = chores.deliver_due

    def stumble(ledger: Ledger, *, allow_private: bool) -> int:
        if (failure := next(failures, None)) is not None:
            raise failure
        return original(ledger, allow_private=allow_private)

    swept = threading.Event()
    monkeypatch.setattr(chores, "deliver_due", stumble)
    monkeypatch.setattr(chores, "sweep", lambda *_: swept.set())
    monkeypatch.setattr(chores, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(chores, "_SWEEP_SECONDS", 0.02)
    ledger, stop = Ledger(settings.database), threading.Event()
    accounts = Accounts(settings.database, Limits.of(settings))
    accounts.issue_ticket("key", "job", seconds=-1)
    thread = threading.Thread(target=do_chores, args=(settings, ledger, accounts, stop))
    thread.start()
    try:
        with receiver() as hooks:
            for name in ("one", "two"):
                cancelled(ledger, name, hooks.url)
            wait_until(lambda: len(hooks.received) == 2)
        assert swept.wait(60.0)
    finally:
        stop.set()
        thread.join(60.0)
    assert not thread.is_alive()
    assert accounts._database.read(lambda connection: connection.scalar(select(func.count()).select_from(tickets))) == 0
    accounts.close()
    ledger.close()
