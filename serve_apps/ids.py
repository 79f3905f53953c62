"""What can be an id at all: a database is not asked about anything else."""

import re

from cluster.ledger.transition import not_found

_JOB_ID = re.compile(r"[0-9a-f]{32}")


def require_job_id(text: str) -> str:
    """The text, where it can be a job's id.

    Raises:
        DubflowError: `not_found`.
    """
    if not _JOB_ID.fullmatch(text):
        raise not_found(text[:200])
    return text
