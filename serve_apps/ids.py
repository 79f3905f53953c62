"""What can be an id at all: a database is not asked about anything else."""

import re
from collections.abc import Callable

from cluster.errors import DubflowError
from cluster.ledger.transition import not_found
from cluster.ledger.voices import unknown_voice

_ID = re.compile(r"[0-9a-f]{32}")


def require_job_id(text: str) -> str:
    """The text, where it can be a job's id.

    Raises:
        DubflowError: `not_found`.
    """
    return _require(text, not_found)


def require_voice_id(text: str) -> str:
    """The text, where it can be the id of a person of a series.

    Raises:
        DubflowError: `not_found`.
    """
    return _require(text, unknown_voice)


def _require(text: str, unknown: Callable[[str], DubflowError]) -> str:
    if not _ID.fullmatch(text):
        raise unknown(text[:200])
    return text
