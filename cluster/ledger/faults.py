"""What a database error means: worth another try, or a line for a person."""

import re
import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from cluster.errors import DubflowError, ErrorCode

_TRANSIENT_STATES = re.compile(
    "08...|"  # connection exceptions
    "40001|40P01|"  # serialization failure, deadlock
    "53300|"  # too many connections
    "55P03|"  # lock not available in time
    "57P0[1-5]"  # the server shuts down, has crashed, or starts
)
_MISCONFIGURED = re.compile("authentication failed|does not exist|no pg_hba.conf entry|permission denied")


def is_transient(error: SQLAlchemyError) -> bool:
    """Tell whether the same transaction may succeed if it is run again.

    The server went away or is starting, transactions got in each other's way, or no connection was free.
    """
    if isinstance(error, PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_code(error.orig) == sqlite3.SQLITE_BUSY
    return error.connection_invalidated or _is_transient_postgres(error.orig)


def translate(error: SQLAlchemyError, database: str) -> DubflowError:
    """Give the error a code and a line that says which database it was; never its password."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if _is_full(cause):
        return DubflowError(ErrorCode.DISK_FULL, f"no space is left for the database {database}; free some")
    if is_transient(error):
        return DubflowError(
            ErrorCode.DATABASE_FAILED, f"the database {database} does not answer; check that it runs ({cause})"
        )
    return DubflowError(ErrorCode.DATABASE_FAILED, f"the database {database} refused: {cause}")


def _is_transient_postgres(error: BaseException | None) -> bool:
    from psycopg import InterfaceError, OperationalError  # noqa: PLC0415 - what runs on SQLite does without

    if not isinstance(error, OperationalError | InterfaceError):
        return False
    if error.sqlstate is None:  # no server answered, or it did before it knew the session
        return not _MISCONFIGURED.search(str(error))
    return _TRANSIENT_STATES.fullmatch(error.sqlstate) is not None


def _is_full(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        return _sqlite_code(error) == sqlite3.SQLITE_FULL
    from psycopg import Error  # noqa: PLC0415 - as above

    return isinstance(error, Error) and error.sqlstate == "53100"


def _sqlite_code(error: sqlite3.Error) -> int:
    # The lower byte is the primary code of an extended one.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
