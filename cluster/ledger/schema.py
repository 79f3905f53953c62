"""The tables' version: checked when a ledger is opened, raised by `upgrade`."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

SCHEMA_VERSION = "0003"
"""The newest migration; versions are numbers of equal length, so newer ones compare as greater."""

_MIGRATION_LOCK = 0x64756266  # any number that everybody takes, here the letters "dubf"


def upgrade(url: str) -> None:
    """Create the tables, or bring them to this version; harmless where they have it, safe for two at the same time.

    Raises:
        DubflowError: `environment` where the tables are newer than this version; `database_failed`.
    """
    migrate(url, SCHEMA_VERSION)


def migrate(url: str, version: str) -> None:
    """Bring the tables to a version, up or down; `base` removes them all.

    Raises:
        DubflowError: As `upgrade`.
    """
    database = Database(url, foreign_keys=False)
    try:
        database.write(lambda connection: _migrate(connection, version, database.label))
    finally:
        database.close()


def require_current(database: Database) -> None:
    """Refuse a database whose tables this version does not know.

    Raises:
        DubflowError: `environment`, with the command to run.
    """
    found = database.read(_version)
    _refuse_newer(found, database.label)
    if found != SCHEMA_VERSION:
        state = f"has tables of version {found}" if found else "has no tables yet"
        raise DubflowError(ErrorCode.ENVIRONMENT, f"the database {database.label} {state}; run: dubflow db upgrade")


def alembic_config(connection: Connection) -> "Config":
    """What Alembic needs to migrate over this connection."""
    from alembic.config import Config  # noqa: PLC0415 - only migrations need Alembic, every worker imports this module

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _migrate(connection: Connection, version: str, label: str) -> None:
    from alembic import command  # noqa: PLC0415 - only migrations need Alembic, every worker imports this module

    _lock(connection)
    found = _version(connection)
    _refuse_newer(found, label)
    config = alembic_config(connection)
    if version == "base" or (found or "") > version:
        command.downgrade(config, version)
    else:
        command.upgrade(config, version)
    _require_whole(connection, label)


def _lock(connection: Connection) -> None:
    # SQLite's BEGIN IMMEDIATE has the whole file already.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})


def _require_whole(connection: Connection, label: str) -> None:
    # PostgreSQL has checked its foreign keys all along.
    if connection.dialect.name == "sqlite" and (lost := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
        raise DubflowError(
            ErrorCode.DATABASE_FAILED, f"rows of {lost[0]} in {label} refer to nothing; it was left as it was"
        )


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def _refuse_newer(found: str | None, label: str) -> None:
    if found is not None and found > SCHEMA_VERSION:
        raise DubflowError(
            ErrorCode.ENVIRONMENT,
            f"the database {label} has tables of version {found}, this program knows {SCHEMA_VERSION}; upgrade dubflow",
        )
