"""Forgetting a person of a series: what was known of them, then the sound that they were cloned from."""

from cluster import layout
from cluster.blobs.contract import BlobStore
from cluster.errors import DubflowError
from cluster.ledger.ledger import Ledger
from cluster.ledger.library_records import ForgottenVoice


def forget_voice(ledger: Ledger, blobs: BlobStore, voice_id: str, tenant: str | None = None) -> None:
    """Forget a person. They are gone for everybody at once; files follow, and `sweep_voices` goes on if interrupted.

    Raises:
        DubflowError: `not_found`; `storage_failed` where files could not be removed yet.
    """
    try:
        forgotten = ledger.forget_voice(voice_id, tenant)
    except DubflowError:
        interrupted = ledger.forgotten_voice(voice_id, tenant)
        if interrupted is None or interrupted.cleared:
            raise
        forgotten = interrupted
    _clear(ledger, blobs, forgotten)


def sweep_voices(ledger: Ledger, blobs: BlobStore) -> tuple[DubflowError, ...]:
    """Go on with all that is not over: interrupted forgetting, and files that late workers wrote.

    Returns:
        What went wrong; the next sweep tries it again.
    """
    failed = []
    for forgotten in ledger.forgotten_voices():
        try:
            _clear(ledger, blobs, forgotten)
        except DubflowError as error:
            failed.append(error)
    return tuple(failed)


def _clear(ledger: Ledger, blobs: BlobStore, forgotten: ForgottenVoice) -> None:
    blobs.delete_prefix(layout.voice(forgotten.tenant, forgotten.id))
    ledger.voice_cleared(forgotten.id)
