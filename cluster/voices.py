"""People of series: as they are shown, and how they are forgotten, with the sound that they were cloned from."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from cluster import layout
from cluster.blobs.contract import BlobStore
from cluster.consent import WORDINGS
from cluster.errors import DubflowError
from cluster.ledger.ledger import Ledger
from cluster.ledger.library_records import ForgottenVoice, LibraryVoice

_AT_ONCE = 100


def describe(voice: LibraryVoice) -> dict[str, Any]:
    """All that is told of a person, as JSON; their voiceprint is not."""
    traits = voice.impression.traits
    return {
        "voice_id": voice.id,
        "series": voice.series,
        "label": voice.label,
        "name": voice.name,
        "gender": voice.gender or traits.get("gender", "unknown"),
        "gender_confidence": 1.0 if voice.gender else round(traits.get("confidence", 0.0), 3),
        "seconds": round(voice.impression.seconds, 1),
        "cloned": bool(voice.reference),
        "voices": [
            {"language": one.language, "engine": one.engine or None, "voice": one.voice, "by_hand": one.by_hand}
            for one in voice.voices
        ],
        "consents": [
            {
                "job_id": one.job_id,
                "key_id": one.key_id or None,
                "wording": one.wording,
                "words": WORDINGS.get(one.wording, ""),  # a newer version may have written it
                "stated_at": _iso(one.stated_at),
            }
            for one in voice.consents
        ],
        "created_at": _iso(voice.created_at),
        "met_at": _iso(voice.met_at),
    }


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


def sweep_voices(ledger: Ledger, blobs: BlobStore, unheard_seconds: float) -> tuple[DubflowError, ...]:
    """Forget whom no source has had for so long, and go on with all forgetting that is not over.

    That are interrupted calls, and files that late workers wrote.

    Returns:
        What went wrong; the next sweep tries it again.
    """
    failed = []
    for voice in ledger.unheard_voices(unheard_seconds, _AT_ONCE):
        with suppress(DubflowError):  # somebody else has forgotten it
            ledger.forget_voice(voice.id)
    for forgotten in ledger.forgotten_voices(_AT_ONCE):
        try:
            _clear(ledger, blobs, forgotten)
        except DubflowError as error:
            failed.append(error)
    return tuple(failed)


def _clear(ledger: Ledger, blobs: BlobStore, forgotten: ForgottenVoice) -> None:
    blobs.delete_prefix(layout.voice(forgotten.tenant, forgotten.id))
    ledger.voice_cleared(forgotten.id)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
