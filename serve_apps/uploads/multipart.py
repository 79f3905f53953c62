"""Parts straight to an object store: their bytes never pass the doors."""

from cluster.blobs.contract import DirectBlobs
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Upload
from cluster.settings import Settings
from serve_apps.uploads.completion import Completion
from serve_apps.uploads.intake import Arrived, PartLink
from serve_apps.uploads.parts import Parts

_LINK_SECONDS = 3600.0
_NAMED = 5


class MultipartIntake:
    """Hands out presigned links, and lets the store put the parts together."""

    direct = True

    def __init__(self, ledger: Ledger, blobs: DirectBlobs, settings: Settings) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._completion = Completion(ledger, blobs, settings)

    def parts(self, size: int) -> Parts:
        """See Intake."""
        return Parts.for_objects(size)

    def begin(self, key: str, size: int) -> str:  # noqa: ARG002 - a folder has to know the size
        """See Intake."""
        return self._blobs.begin_multipart(key)

    def arrived(self, upload: Upload) -> Arrived:
        """See Intake: as the store itself tells it."""
        parts = self.parts(upload.size)
        if upload.complete:
            return Arrived(upload.size, frozenset(range(1, parts.count + 1)))
        try:
            stored = self._blobs.stored_parts(upload.key, upload.multipart)
        except DubflowError as error:
            if error.code is not ErrorCode.NOT_FOUND or not self._is_complete(upload):
                raise
            stored = [parts.part(number) for number in range(1, parts.count + 1)]
        here = frozenset(p.number for p in stored if p.number <= parts.count and p == parts.part(p.number))
        gapless = next(number for number in range(1, parts.count + 2) if number not in here) - 1
        return Arrived(min(gapless * parts.part_bytes, upload.size), here)

    def links(self, upload: Upload, first: int, count: int) -> list[PartLink]:
        """See Intake."""
        parts, here = self.parts(upload.size), self.arrived(upload).parts
        some = list(parts.some(first, count))
        urls = self._blobs.presigned_parts(upload.key, upload.multipart, some, _LINK_SECONDS)
        return [
            PartLink(part.number, parts.offset(part.number), part.size, url, part.number in here)
            for part, url in zip(some, urls, strict=True)
        ]

    def complete(self, upload: Upload) -> Upload:
        """See Intake."""
        if upload.complete:
            return upload
        if not self._is_complete(upload):
            self._require_all(upload)
            self._blobs.complete_multipart(upload.key, upload.multipart, upload.size)
        self._completion.require_media(upload, lambda size: self._blobs.get_range(upload.key, 0, size))
        return self._completion.record(upload)

    def _is_complete(self, upload: Upload) -> bool:
        """True where an earlier call had the store complete it and then died."""
        return self._blobs.exists(upload.key) and self._blobs.size(upload.key) == upload.size

    def _require_all(self, upload: Upload) -> None:
        count, here = self.parts(upload.size).count, self.arrived(upload).parts
        missing = [number for number in range(1, count + 1) if number not in here]
        if missing:
            named = ", ".join(map(str, missing[:_NAMED])) + (", ..." if len(missing) > _NAMED else "")
            raise DubflowError(ErrorCode.CONFLICT, f"{len(missing)} of {count} parts are missing: {named}; send them")
