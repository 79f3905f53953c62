"""What a replica's requests share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from cluster.accounts.accounts import Accounts
from cluster.accounts.identities import Identities
from cluster.accounts.records import Limits
from cluster.blobs.contract import BlobStore
from cluster.blobs.store import open_blobs
from cluster.ledger.experience import Estimator
from cluster.ledger.ledger import Ledger
from cluster.owner import this_process
from cluster.scratch import own_folder, remove, sweep
from cluster.settings import Settings

_SCRATCH = "doors-"


@dataclass(frozen=True, slots=True)
class Services:
    """Made once for the life of an application; all of it may be used from any thread.

    Attributes:
        estimator: Tells when jobs will be over.
        scratch: Folder of this process for files on their way to the blob store.
    """

    settings: Settings
    ledger: Ledger
    blobs: BlobStore
    accounts: Accounts
    identities: Identities
    estimator: Estimator
    scratch: Path


@contextmanager
def open_services(settings: Settings) -> Iterator[Services]:
    """Open what the settings name, and close it again.

    Raises:
        DubflowError: `environment` where the database has not this version's tables, or a URL names nothing.
    """
    ledger = Ledger(settings.database, lease_seconds=settings.lease_seconds, max_attempts=settings.max_job_attempts)
    accounts = Accounts(settings.database, Limits.of(settings))
    try:
        blobs = open_blobs(settings.blobs, settings.s3_endpoint_url)
        with _scratch(settings.scratch_folder) as scratch:
            yield Services(settings, ledger, blobs, accounts, Identities(accounts), Estimator(ledger), scratch)
    finally:
        accounts.close()
        ledger.close()


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    """A work folder that is gone with its process, also where that is killed: the next one sweeps."""
    sweep(parent, _SCRATCH)
    folder = own_folder(parent, _SCRATCH, f"{this_process()}")
    try:
        yield folder
    finally:
        remove(folder)


def services(connection: HTTPConnection) -> Services:
    """The services of the application that a request or WebSocket came to."""
    found: Services = connection.app.state.services
    return found


ServicesDep = Annotated[Services, Depends(services)]
