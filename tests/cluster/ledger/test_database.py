import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger import database as module
from cluster.ledger.clock import Now
from cluster.ledger.database import Database
from cluster.ledger.ledger import Ledger
from tests.fixtures.ledgers import request
from tests.fixtures.postgres import PostgresServer


def sleep_is_forbidden(_seconds: float) -> None:
    raise AssertionError("nothing should be tried again")


def test_the_clock_counts_utc_seconds_and_goes_on_within_a_transaction(database_url: str) -> None:
    database = Database(database_url)

    def two_readings(connection: Connection) -> tuple[float, float]:
        first = connection.execute(select(Now())).scalar_one()
        time.sleep(0.01)
        return first, connection.execute(select(Now())).scalar_one()

    first, second = database.read(two_readings)

    database.close()
    assert first == pytest.approx(time.time(), abs=5)
    assert 0.005 < second - first < 5


def test_what_raises_leaves_nothing_behind(ledger: Ledger) -> None:
    def fails(connection: Connection) -> None:
        connection.execute(text("INSERT INTO tenants (id, turn) VALUES ('half', 0)"))
        raise KeyError

    with pytest.raises(KeyError):
        ledger._database.write(fails)

    assert ledger._database.read(lambda connection: connection.scalar(text("SELECT count(*) FROM tenants"))) == 0


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("mysql://host/db", "no database for a ledger"),
        ("nonsense", "cannot be read"),
    ],
)
def test_urls_that_name_no_usable_database_are_refused(url: str, says: str) -> None:
    with pytest.raises(DubflowError, match=says) as refused:
        Database(url)

    assert refused.value.code is ErrorCode.ENVIRONMENT


def test_only_a_server_is_shared_between_machines(postgresql_url: str, sqlite_url: str) -> None:
    assert [Ledger(url).shared for url in (postgresql_url, sqlite_url)] == [True, False]


def test_a_plain_postgresql_url_gets_the_right_driver(postgresql_url: str) -> None:
    ledger = Ledger(postgresql_url.replace("postgresql+psycopg:", "postgresql:"))

    assert ledger.jobs().jobs == ()
    ledger.close()


def test_a_connection_that_the_server_ended_is_replaced(postgresql_url: str, postgres: PostgresServer) -> None:
    ledger = Ledger(postgresql_url)

    def ends_itself_once(connection: Connection) -> int:
        calls.append(1)
        if len(calls) == 1:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return len(calls)

    calls: list[int] = []

    assert ledger._database.write(ends_itself_once) == 2
    ledger.close()


def test_a_deadlock_is_resolved_by_running_the_victim_again(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    database.write(lambda connection: connection.execute(text("INSERT INTO tenants VALUES ('a', 0), ('b', 0)")))
    both_hold_one = threading.Barrier(2)

    def lock(first: str, second: str) -> Callable[[Connection], None]:
        tries = iter([both_hold_one.wait])

        def work(connection: Connection) -> None:
            connection.execute(text("UPDATE tenants SET turn = turn + 1 WHERE id = :id"), {"id": first})
            next(tries, lambda: 0)()
            connection.execute(text("UPDATE tenants SET turn = turn + 1 WHERE id = :id"), {"id": second})

        return work

    threads = [threading.Thread(target=database.write, args=(lock(*order),)) for order in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    turns = database.read(lambda connection: connection.scalars(text("SELECT turn FROM tenants")).all())
    database.close()
    assert turns == [2, 2]


@pytest.mark.faults
def test_a_server_that_restarts_is_waited_for(postgresql_url: str, postgres: PostgresServer) -> None:
    ledger = Ledger(postgresql_url)
    postgres.stop(signal.SIGQUIT)
    answers: list[str] = []
    waiting = threading.Thread(target=lambda: answers.append(ledger.submit(request()).request.stem))

    waiting.start()
    time.sleep(0.3)
    assert answers == []
    postgres.start()
    waiting.join(30)

    assert answers == ["talk"]
    ledger.close()


def test_patience_ends_with_a_clear_error_that_keeps_the_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    database = Database(f"postgresql://somebody:s3cret@/ledger?host={tmp_path}")

    with pytest.raises(DubflowError, match="does not answer") as failed:
        database.write(lambda connection: connection.execute(text("SELECT 1")))

    assert failed.value.code is ErrorCode.DATABASE_FAILED
    assert failed.value.retryable
    assert "s3cret" not in str(failed.value)


def test_a_wrong_name_is_told_at_once(monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer) -> None:
    monkeypatch.setattr(time, "sleep", sleep_is_forbidden)

    with pytest.raises(DubflowError, match='"nowhere" does not exist') as failed:
        Ledger(postgres.url("nowhere"))

    assert failed.value.code is ErrorCode.DATABASE_FAILED


def test_a_mistake_in_a_statement_is_not_tried_again(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", sleep_is_forbidden)
    database = Database(database_url)

    with pytest.raises(DubflowError, match="refused") as failed:
        database.write(lambda connection: connection.execute(text("SELECT * FROM nothing")))

    database.close()
    assert failed.value.code is ErrorCode.DATABASE_FAILED


def test_a_writer_waits_for_another_one(sqlite_url: str) -> None:
    ledger, other = Ledger(sqlite_url), Database(sqlite_url)
    held = threading.Event()

    def hold(_connection: Connection) -> None:
        held.set()
        time.sleep(0.3)

    holder = threading.Thread(target=other.write, args=(hold,))
    holder.start()
    held.wait(5)

    assert ledger.submit(request()).seq == 1
    holder.join()
    ledger.close()
    other.close()


def test_a_reader_does_not_wait_for_a_writer(sqlite_url: str) -> None:
    ledger, other = Ledger(sqlite_url), Database(sqlite_url)

    def read_meanwhile(connection: Connection) -> int:
        connection.execute(text("INSERT INTO tenants (id, turn) VALUES ('unseen', 0)"))
        return len(ledger.jobs().jobs)

    assert other.write(read_meanwhile) == 0
    ledger.close()
    other.close()


def test_a_file_that_stays_locked_is_a_clear_error(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUSY_SECONDS", 0.05)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    ledger, other = Ledger(sqlite_url), Database(sqlite_url)

    def submit_meanwhile(_connection: Connection) -> None:
        ledger.submit(request())

    with pytest.raises(DubflowError, match="does not answer") as failed:
        other.write(submit_meanwhile)

    assert failed.value.code is ErrorCode.DATABASE_FAILED
    ledger.close()
    other.close()


def test_a_full_disk_has_its_own_code_and_leaves_the_file_whole(sqlite_url: str) -> None:
    ledger = Ledger(sqlite_url)
    full = text("PRAGMA max_page_count = 1")  # SQLite takes the present size: no page can be added

    def submit_large(connection: Connection) -> None:
        connection.execute(full)
        connection.execute(text("INSERT INTO tenants (id, turn) VALUES (:id, 0)"), {"id": "x" * 100_000})

    with pytest.raises(DubflowError, match="no space is left") as failed:
        ledger._database.write(submit_large)

    assert failed.value.code is ErrorCode.DISK_FULL
    assert ledger._database.read(lambda connection: connection.scalar(text("PRAGMA integrity_check"))) == "ok"
    ledger.close()


def test_a_full_server_has_the_same_code(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    full = text("DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$")

    with pytest.raises(DubflowError) as failed:
        database.write(lambda connection: connection.execute(full))

    database.close()
    assert failed.value.code is ErrorCode.DISK_FULL


def test_sqlite_is_set_up_for_many_processes_and_power_cuts(sqlite_url: str) -> None:
    ledger = Ledger(sqlite_url)

    def pragmas(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [connection.scalar(text(f"PRAGMA {name}")) for name in names]

    assert ledger._database.read(pragmas) == ["wal", 2, 1, 30_000]
    ledger.close()


def test_a_fork_opens_its_own_connections(ledger: Ledger) -> None:
    job = ledger.submit(request())
    fork = multiprocessing.get_context("fork").Process(target=lambda: ledger.cancel(job.id))
    fork.start()
    fork.join()

    assert fork.exitcode == 0
    assert ledger.job(job.id).status == "cancelled"
