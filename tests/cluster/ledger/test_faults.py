import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, InvalidRequestError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from cluster.errors import ErrorCode
from cluster.ledger.faults import is_transient, translate


def postgres_error(state: str) -> DBAPIError:
    return DBAPIError("SELECT 1", None, psycopg.errors.lookup(state)("it went wrong"))


@pytest.mark.parametrize("state", ["08006", "40001", "40P01", "53300", "55P03", "57P01", "57P02", "57P03"])
def test_what_passes_is_tried_again(state: str) -> None:
    assert is_transient(postgres_error(state))


@pytest.mark.parametrize("state", ["23505", "42P01", "42601", "53100", "22P02"])
def test_what_stays_is_not(state: str) -> None:
    assert not is_transient(postgres_error(state))


def test_waiting_for_a_connection_of_the_pool_may_pass() -> None:
    assert is_transient(PoolTimeoutError("no connection was free"))


def test_mistakes_of_our_own_are_never_tried_again() -> None:
    error = InvalidRequestError("this transaction is closed")

    assert not is_transient(error)
    assert translate(error, "sqlite:///x").code is ErrorCode.DATABASE_FAILED


@pytest.mark.parametrize(
    ("says", "transient"),
    [
        ("connection refused", True),
        ("FATAL:  the database system is starting up", True),
        ('FATAL:  password authentication failed for user "x"', False),
        ('FATAL:  database "x" does not exist', False),
    ],
)
def test_a_server_that_refuses_a_session_is_only_asked_again_if_that_can_help(says: str, transient: bool) -> None:
    assert is_transient(OperationalError("", None, psycopg.OperationalError(says))) is transient


def test_errors_of_sqlite_without_a_code_are_told_as_they_are() -> None:
    error = DBAPIError("SELECT 1", None, sqlite3.DatabaseError("file is not a database"))

    assert not is_transient(error)
    assert "file is not a database" in translate(error, "sqlite:///x").message
