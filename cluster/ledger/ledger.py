"""The ledger: the truth about every job, for any number of processes over one database."""

from typing import Any

from cluster.ledger.claims import Claims
from cluster.ledger.deliveries import Deliveries
from cluster.ledger.duties import Duties
from cluster.ledger.edits import Edits
from cluster.ledger.experience import Experience
from cluster.ledger.flows import Flows
from cluster.ledger.jobs import Jobs
from cluster.ledger.languages import Languages
from cluster.ledger.library import Library
from cluster.ledger.media_usage import MediaUsage
from cluster.ledger.outputs import Outputs
from cluster.ledger.parts import Parts
from cluster.ledger.queries import Queries
from cluster.ledger.removals import Removals
from cluster.ledger.retention import Retention
from cluster.ledger.schema import require_current
from cluster.ledger.timeline import Timelines
from cluster.ledger.uploads import Uploads
from cluster.ledger.voices import Voices


class Ledger(
    Jobs,
    Edits,
    Claims,
    Flows,
    Duties,
    Parts,
    Outputs,
    MediaUsage,
    Queries,
    Experience,
    Timelines,
    Languages,
    Uploads,
    Removals,
    Retention,
    Deliveries,
    Library,
    Voices,
):
    """Jobs, leases, stages, parts, outputs and events.

    Each base class is one side of it: what doors do (Jobs, Edits, Uploads), who works on what (Claims, with Leases;
    Flows; Duties), what workers report (Parts, Outputs, MediaUsage), what has to go (Retention, Removals), who is
    told of a job's end (Deliveries), the people of series (Library, Voices), and what anybody reads (Queries,
    Experience, Timelines, Languages).

    A ledger may be used from any thread; pickled it opens its own connections in the process that gets it, without
    looking at the schema again.

    Every write retries for half a minute when the database does not answer, then raises DubflowError
    `database_failed`.

    Args:
        url: SQLAlchemy URL of an SQLite file or a PostgreSQL database.
        lease_seconds: How long a job stays with an owner that has stopped beating.
        max_attempts: How often a job may be lost, or fail in a way that may pass, before it is given up.

    Raises:
        DubflowError: `environment` where the database has not this version's tables.
    """

    def __init__(self, url: str, *, lease_seconds: float = 60.0, max_attempts: int = 3) -> None:
        super().__init__(url, lease_seconds=lease_seconds, max_attempts=max_attempts)
        require_current(self._database)

    @property
    def shared(self) -> bool:
        """True if more than one machine can use it; an SQLite file serves one."""
        return not self._database.is_sqlite

    @property
    def connection_arguments(self) -> dict[str, Any]:
        """For a psycopg connection of one's own to the same PostgreSQL database, such as one that listens."""
        return self._database.connection_arguments

    def close(self) -> None:
        """Close this process's connections."""
        self._database.close()
