"""Deleting really deletes: the job, its results, and what nobody else needs of its source."""

from cluster import layout
from cluster.blobs.contract import BlobStore
from cluster.errors import DubflowError
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Job, Removal


def remove_job(ledger: Ledger, blobs: BlobStore, job: Job) -> None:
    """Remove a finished job with everything that belongs to it alone.

    The job is gone for everybody at once. Its files go next; where that is interrupted, the ledger remembers them, and
    `sweep_removals` or another call goes on.

    Raises:
        DubflowError: `conflict` where the job is not finished; `storage_failed` where files could not be removed yet.
    """
    ledger.delete(job.id)
    removal = ledger.removal(job.id)
    if removal is not None:
        finish_removal(ledger, blobs, removal)


def finish_removal(ledger: Ledger, blobs: BlobStore, removal: Removal) -> None:
    """Remove the files of a job that is gone.

    Raises:
        DubflowError: `storage_failed`, `database_failed`.
    """
    for prefix in _prefixes(ledger, blobs, removal):
        blobs.delete_prefix(prefix)
    ledger.removed(removal.job_id)


def sweep_removals(ledger: Ledger, blobs: BlobStore) -> tuple[DubflowError, ...]:
    """Go on with all removals that are not over: interrupted ones, and files that late workers wrote.

    Returns:
        What went wrong; those removals are tried again by the next sweep.
    """
    failed = []
    for removal in ledger.removals():
        try:
            finish_removal(ledger, blobs, removal)
        except DubflowError as error:
            failed.append(error)
    return tuple(failed)


def _prefixes(ledger: Ledger, blobs: BlobStore, removal: Removal) -> list[str]:
    tenant, source = removal.tenant, removal.source_uri
    prefixes = [layout.derived(tenant, removal.job_id), layout.documents(tenant, removal.job_id)]
    results = layout.results_of(blobs, tenant, removal.destination)
    if results and not ledger.serves_another(tenant=tenant, destination=removal.destination):
        prefixes.append(results)
    if not ledger.serves_another(tenant=tenant, source_uri=source, source_version=removal.source_version):
        prefixes.append(layout.artefacts(tenant, source, removal.source_version))
    upload = layout.upload_of(blobs, tenant, source)
    if upload and not ledger.serves_another(tenant=tenant, source_uri=source):
        ledger.forget_upload(upload, tenant)
        prefixes.append(layout.upload(tenant, upload))
    return prefixes
