from functools import lru_cache
from typing import TypeVar

from actors.contracts.audio import Clip
from cluster.blobs.contract import BlobStore
from cluster.errors import DubflowError, ErrorCode
from dataflow import flac
from dataflow.records import Casting, Script, from_json

RecordT = TypeVar("RecordT")


class Stored:
    """Reads records out of the blob store; what never changes and is asked for by every row is remembered."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self.script = lru_cache(maxsize=64)(self._script)
        self.casting = lru_cache(maxsize=64)(self._casting)
        self.reference = lru_cache(maxsize=64)(self._reference)

    def get(self, kind: type[RecordT], key: str) -> RecordT:
        """The record of `kind` under `key`."""
        return from_json(kind, self._blobs.get_bytes(key))

    def find(self, kind: type[RecordT], key: str) -> RecordT | None:
        """The record, or None where it was never made."""
        return self.get(kind, key) if key and self._blobs.exists(key) else None

    def _reference(self, key: str) -> Clip | None:
        """How a speaker sounds; None without a key.

        Raises:
            DubflowError: `storage_failed`, so that the job's next attempt casts anew, where a person was forgotten.
        """
        if not key:
            return None
        try:
            sound = self._blobs.get_bytes(key)
        except DubflowError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                raise
            message = "a voice that lines were to be spoken with was forgotten in the meantime"
            raise DubflowError(ErrorCode.STORAGE_FAILED, message) from error
        return Clip(*flac.decode(sound))

    def _script(self, key: str) -> Script:
        return self.get(Script, key)

    def _casting(self, key: str) -> Casting:
        return self.get(Casting, key)
