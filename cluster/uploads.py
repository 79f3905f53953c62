"""Uploads that come to nothing: what has arrived of them goes, in the blob store and in the ledger."""

from cluster import layout
from cluster.blobs.contract import BlobStore, DirectBlobs
from cluster.errors import DubflowError
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Upload

_PAUSE_SECONDS = 3600.0


def remove_upload(ledger: Ledger, blobs: BlobStore, upload: Upload) -> None:
    """Let nobody use an upload any more, and remove its bytes.

    Raises:
        DubflowError: `storage_failed` where they could not be removed; the upload is there still, to be tried again.
    """
    if upload.multipart and not upload.complete and isinstance(blobs, DirectBlobs):
        blobs.abort_multipart(upload.key, upload.multipart)
    blobs.delete_prefix(layout.upload(upload.tenant, upload.id))
    ledger.forget_upload(upload.id, upload.tenant)


def sweep_uploads(ledger: Ledger, blobs: BlobStore, *, seconds_ago: float = _PAUSE_SECONDS) -> tuple[DubflowError, ...]:
    """Remove the uploads that expired so long ago and that no job has as its source.

    Returns:
        What went wrong; the next sweep tries those uploads again.
    """
    failed = []
    for upload in ledger.expired_uploads(seconds_ago):
        try:
            remove_upload(ledger, blobs, upload)
        except DubflowError as error:
            failed.append(error)
    return tuple(failed)
