"""The last step of an upload, whichever way its bytes came."""

from collections.abc import Callable
from pathlib import PurePath

from cluster.blobs.contract import BlobStore
from cluster.errors import DubflowError
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Upload
from cluster.metrics import UPLOAD_BYTES
from cluster.settings import Settings
from cluster.sources import describe_source
from cluster.uploads import remove_upload
from serve_apps.media_types import HEAD_BYTES, require_media


class Completion:
    """Checks what has arrived and records it."""

    def __init__(self, ledger: Ledger, blobs: BlobStore, settings: Settings) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._settings = settings

    def require_media(self, upload: Upload, read: Callable[[int], bytes]) -> None:
        """Look at the first bytes; an upload that is no media is removed.

        Args:
            upload: Whose bytes they are.
            read: Gives so many of them.

        Raises:
            DubflowError: `unsupported_media`.
        """
        try:
            require_media(PurePath(upload.name).suffix.lower(), read(HEAD_BYTES))
        except DubflowError:
            remove_upload(self._ledger, self._blobs, upload)
            raise

    def record(self, upload: Upload) -> Upload:
        """Let jobs have the blob as their source."""
        source = describe_source(self._blobs.uri(upload.key), s3_endpoint_url=self._settings.s3_endpoint_url)
        UPLOAD_BYTES.add(source.size)
        seconds = self._settings.upload_retention_hours * 3600
        return self._ledger.complete_upload(
            upload.tenant, upload.id, uri=source.uri, version=source.version, seconds=seconds
        )
