"""One database under the ledger: connections, transactions, and patience with a server that restarts."""

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from secrets import SystemRandom
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Dialect, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.faults import is_transient, translate

Result = TypeVar("Result")

PATIENCE_SECONDS = 30.0
"""How long a transaction is tried again while the database does not answer."""

_BUSY_SECONDS = 30.0
_POSTGRES = "postgresql+psycopg"
_POSTGRES_OPTIONS = {
    "connect_timeout": 5,
    # A peer that vanished without a word is noticed after half a minute instead of two hours.
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    # A client that hangs in the middle of a transaction must not hold its row locks for ever.
    "options": "-c lock_timeout=20s -c idle_in_transaction_session_timeout=60s",
    "application_name": "dubflow",
}


class Database:
    """Runs functions in transactions.

    The function gets a connection and may be called again when the connection broke, perhaps after its first commit
    had succeeded without the answer coming through: it must give the same result then. Connections belong to one
    process; a fork opens its own.

    Args:
        url: SQLAlchemy URL of an SQLite file or a PostgreSQL database.
        foreign_keys: False for migrations: SQLite replaces a table by dropping it, which must not delete what refers
            to its rows.
        durable: False for what a power cut may take back a moment of: its commits do not wait for the disk.
    """

    def __init__(self, url: str, *, foreign_keys: bool = True, durable: bool = True) -> None:
        self.url = _parse(url)
        self._foreign_keys = foreign_keys
        self._durable = durable
        self._opened: tuple[int, Engine] | None = None

    @property
    def is_sqlite(self) -> bool:
        """True for a file that only the processes of one machine can share."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def label(self) -> str:
        """The URL without its password."""
        return self.url.render_as_string(hide_password=True)

    @property
    def connection_arguments(self) -> dict[str, Any]:
        """For a psycopg connection outside the pool; PostgreSQL only."""
        dialect: Dialect = self.url.get_dialect()()
        _, arguments = dialect.create_connect_args(self.url)
        return {**_options_for(self.url, self._durable), **arguments}

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction that only reads."""
        return self._run(work, "DEFERRED")

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction that is committed when it returns and rolled back when it raises.

        Raises:
            DubflowError: `database_failed` when the database did not answer for half a minute; `disk_full`.
        """
        return self._run(work, "IMMEDIATE")

    def close(self) -> None:
        """Close this process's connections; the next use opens new ones."""
        if self._opened is not None:
            process, engine = self._opened
            engine.dispose(close=process == os.getpid())
            self._opened = None

    def _run(self, work: Callable[[Connection], Result], mode: str) -> Result:
        deadline = time.monotonic() + PATIENCE_SECONDS
        pauses = _pauses()
        while True:
            try:
                with self._connections().execution_options(sqlite_mode=mode).begin() as connection:
                    return work(connection)
            except SQLAlchemyError as error:
                pause = next(pauses)
                if not is_transient(error) or time.monotonic() + pause > deadline:
                    raise translate(error, self.label) from error
            time.sleep(pause)

    def _connections(self) -> Engine:
        if self._opened is not None and self._opened[0] != os.getpid():
            self.close()  # this is a fork of the process that owns those connections
        if self._opened is None:
            if self.is_sqlite:
                engine = _sqlite_engine(self.url, self._foreign_keys, self._durable)
            else:
                engine = _postgres_engine(self.url, self._durable)
            self._opened = os.getpid(), engine
            return engine
        return self._opened[1]


def insert_if_absent(connection: Connection, table: Table, values: dict[str, Any]) -> bool:
    """Insert a row unless one with the same unique key exists; True if it was inserted."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    inserted = insert(table).values(values).on_conflict_do_nothing().returning(*table.primary_key)
    return connection.execute(inserted).first() is not None


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise DubflowError(
            ErrorCode.ENVIRONMENT, "the database URL cannot be read; check DUBFLOW_DATABASE_URL"
        ) from error
    match url.get_backend_name():
        case "postgresql":
            return url.set(drivername=_POSTGRES)
        case "sqlite" if url.database and url.database != ":memory:":
            return url
        case "sqlite":
            raise DubflowError(ErrorCode.ENVIRONMENT, "an SQLite ledger needs a file: sqlite:////folder/ledger.sqlite")
    raise DubflowError(
        ErrorCode.ENVIRONMENT, f"{url.drivername} is no database for a ledger; use sqlite:///FILE or {_POSTGRES}://..."
    )


def _sqlite_engine(url: URL, foreign_keys: bool, durable: bool) -> Engine:
    _make_folder(Path(str(url.database)).parent)
    engine = create_engine(url, pool_size=1, max_overflow=-1, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", partial(_set_up_sqlite, foreign_keys, durable))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgres_engine(url: URL, durable: bool) -> Engine:
    # One connection is kept for each process: a cluster has hundreds of them, a server some hundred connections.
    return create_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=1,
        max_overflow=9,
        pool_pre_ping=True,
        connect_args=_options_for(url, durable),
    )


def _options_for(url: URL, durable: bool) -> dict[str, Any]:
    options = dict(_POSTGRES_OPTIONS)
    if not durable:
        options["options"] = f"{options['options']} -c synchronous_commit=off"
    return {name: value for name, value in options.items() if name not in url.query}


def _set_up_sqlite(foreign_keys: bool, durable: bool, connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself; _begin_sqlite does
    synchronous = "FULL" if durable else "NORMAL"
    for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", f"foreign_keys={foreign_keys:d}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads before it writes cannot wait for another writer; IMMEDIATE takes the lock at once.
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('sqlite_mode', 'IMMEDIATE')}")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DubflowError(
            ErrorCode.ENVIRONMENT, f"the database's folder {folder} cannot be made: {error.strerror}"
        ) from error


def _pauses() -> Iterator[float]:
    random = SystemRandom()
    pause = 0.05
    while True:
        yield pause * random.uniform(0.5, 1.5)  # jitter: a whole cluster must not come back at the same moment
        pause = min(2 * pause, 2.0)
