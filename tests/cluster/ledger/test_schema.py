from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.database import Database
from cluster.ledger.ledger import Ledger
from cluster.ledger.schema import SCHEMA_VERSION, alembic_config, migrate, upgrade
from cluster.ledger.tables import metadata
from tests.fixtures.ledgers import claimed, request
from tests.fixtures.processes import PROCESSES


def tables(url: str) -> set[str]:
    database = Database(url)
    found = database.read(lambda connection: set(inspect(connection).get_table_names()))
    database.close()
    return found


def set_version(url: str, version: str) -> None:
    database = Database(url)
    database.write(lambda connection: connection.execute(text(f"UPDATE alembic_version SET version_num = '{version}'")))
    database.close()


def test_a_database_without_tables_says_what_to_run(empty_database: str) -> None:
    with pytest.raises(DubflowError, match="dubflow db upgrade") as refused:
        Ledger(empty_database)

    assert refused.value.code is ErrorCode.ENVIRONMENT


def test_migrations_go_up_and_down_and_up_again(empty_database: str) -> None:
    upgrade(empty_database)
    assert tables(empty_database) == {*metadata.tables, "alembic_version"}
    migrate(empty_database, "base")
    assert tables(empty_database) == {"alembic_version"}
    upgrade(empty_database)
    upgrade(empty_database)

    ledger = Ledger(empty_database)
    assert ledger.submit(request()).seq == 1
    ledger.close()


def test_migrations_make_the_tables_that_the_code_expects(empty_database: str) -> None:
    upgrade(empty_database)
    database = Database(empty_database)

    differences = database.read(lambda connection: compare_metadata(MigrationContext.configure(connection), metadata))

    database.close()
    assert differences == []


def test_the_version_is_that_of_the_newest_migration(empty_database: str) -> None:
    database = Database(empty_database)
    head = database.read(lambda connection: ScriptDirectory.from_config(alembic_config(connection)).get_current_head())
    database.close()

    assert head == SCHEMA_VERSION


@pytest.mark.parametrize(("version", "advice"), [("0000", "dubflow db upgrade"), ("9999", "upgrade dubflow")])
def test_tables_of_another_version_are_refused(empty_database: str, version: str, advice: str) -> None:
    upgrade(empty_database)
    set_version(empty_database, version)

    with pytest.raises(DubflowError, match=advice) as refused:
        Ledger(empty_database)

    assert refused.value.code is ErrorCode.ENVIRONMENT


def test_an_older_program_does_not_touch_newer_tables(empty_database: str) -> None:
    upgrade(empty_database)
    set_version(empty_database, "9999")

    with pytest.raises(DubflowError, match="upgrade dubflow"):
        upgrade(empty_database)

    assert "jobs" in tables(empty_database)


def test_processes_that_start_together_may_all_upgrade(empty_database: str) -> None:
    processes = [PROCESSES.Process(target=upgrade, args=(empty_database,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0, 0]
    Ledger(empty_database).close()


def test_copying_a_table_in_a_migration_keeps_what_refers_to_it(sqlite_url: str) -> None:
    ledger = Ledger(sqlite_url)
    lease = claimed(ledger)
    told = ledger.events(lease.job_id)
    database = Database(sqlite_url, foreign_keys=False)  # as `migrate` opens it

    def copy_jobs(connection: Connection) -> None:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("jobs", recreate="always"):
            pass

    database.write(copy_jobs)

    assert ledger.events(lease.job_id) == told
    assert ledger.owners() == {"worker"}
    database.close()
    ledger.close()


def test_a_migration_that_loses_rows_is_undone(sqlite_url: str) -> None:
    ledger = Ledger(sqlite_url)
    lease = claimed(ledger)
    database = Database(sqlite_url, foreign_keys=False)
    database.write(lambda connection: connection.execute(text("DELETE FROM jobs")))
    database.close()

    with pytest.raises(DubflowError, match="refer to nothing") as refused:
        upgrade(sqlite_url)

    assert refused.value.code is ErrorCode.DATABASE_FAILED
    assert ledger.owners() == {lease.owner}
    ledger.close()


def test_the_folder_of_a_new_database_is_made(tmp_path: Path) -> None:
    upgrade(f"sqlite:///{tmp_path / 'some' / 'where' / 'ledger.sqlite'}")

    assert (tmp_path / "some" / "where" / "ledger.sqlite").is_file()


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DubflowError, match="cannot be made") as refused:
        upgrade(f"sqlite:///{tmp_path / 'file' / 'ledger.sqlite'}")

    assert refused.value.code is ErrorCode.ENVIRONMENT
