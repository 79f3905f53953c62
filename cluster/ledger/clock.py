"""The database's own clock: it alone decides when a lease runs out, so machines need not agree on the time."""

from typing import Any

from sqlalchemy import Double
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement


class Now(FunctionElement[float]):
    """UTC seconds since the epoch when the statement runs, not when its transaction began."""

    name = "now"
    type = Double()
    inherit_cache = True


@compiles(Now, "sqlite")
def _sqlite(_element: Now, _compiler: Any, **_options: Any) -> str:
    # unixepoch('subsec') came with SQLite 3.42; the Julian day is as fine (milliseconds) and older than any version.
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(Now, "postgresql")
def _postgresql(_element: Now, _compiler: Any, **_options: Any) -> str:
    return "(extract(epoch from clock_timestamp())::double precision)"
