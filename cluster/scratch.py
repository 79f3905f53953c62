"""Work folders that are removed with their owner, however it ends."""

import shutil
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from cluster.errors import DubflowError, ErrorCode
from cluster.owner import is_dead

RUN_PREFIX = "run-"
"""Of the folders of flows."""

_OWNER_FILE = ".owner"


def own_folder(parent: Path, prefix: str, owner: str) -> Path:
    """The folder of an owner below `parent`; made when it is asked for first.

    Raises:
        DubflowError: `environment` where it cannot be made.
    """
    folder = parent / f"{prefix}{blake2b(owner.encode(), digest_size=6).hexdigest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / _OWNER_FILE).write_text(owner, encoding="utf-8")
    except OSError as error:
        raise DubflowError(
            ErrorCode.ENVIRONMENT, f"the work folder {folder} cannot be made: {error.strerror}; set DUBFLOW_SCRATCH"
        ) from error
    return folder


def remove(folder: Path) -> None:
    """Remove a work folder with all that is in it."""
    shutil.rmtree(folder, ignore_errors=True)


def sweep(parent: Path, prefix: str) -> None:
    """Remove the folders of owners that are certainly dead."""
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            if is_dead((folder / _OWNER_FILE).read_text(encoding="utf-8")):
                remove(folder)
