"""Where a result's files go, and how they take the place of the former ones."""

from collections.abc import Collection, Mapping
from pathlib import Path

from cluster import layout
from cluster.blobs.contract import BlobStore
from cluster.blobs.store import open_blobs
from cluster.ledger.records import JobRequest
from dataflow.naming import file_name

FILE_KINDS = {".mp4": "video", ".m4a": "audio", ".srt": "srt", ".vtt": "vtt", ".json": "script"}


class Destination:
    """A job's destination.

    In a folder or bucket of the user's own the names of the files are a promise, so a new result replaces the former
    file by file. In our blob store nobody knows the names but the ledger: a result with other edits gets a folder of
    its own, the ledger changes from all former files to all new ones at once, and only then the former are removed.

    Args:
        request: The job's.
        ours: Our blob store.
        s3_endpoint_url: For destinations on S3-compatible servers.
    """

    def __init__(self, request: JobRequest, ours: BlobStore, s3_endpoint_url: str) -> None:
        self._stem = request.stem
        self._ours = layout.results_of(ours, request.tenant, request.destination) is not None
        self._store = open_blobs(request.destination, s3_endpoint_url)

    def put(self, language: str, revision: int, texts: Mapping[str, str], dubbed: Path) -> dict[str, str]:
        """Write all files, the dubbed one last, and none while there is no room for all; returns their URIs by type."""
        folder = f"r{revision}/" if self._ours and revision else ""
        names = {suffix: folder + file_name(self._stem, language, suffix) for suffix in (*texts, dubbed.suffix)}
        contents: dict[str, bytes | Path] = {names[suffix]: text.encode() for suffix, text in texts.items()}
        self._store.put_together({**contents, names[dubbed.suffix]: dubbed})
        return {FILE_KINDS[suffix]: self._store.uri(name) for suffix, name in names.items()}

    def remove(self, former: Collection[str], current: Collection[str]) -> None:
        """Remove the files of the former result, by their URIs, that are none of the current one."""
        stale = set(former) - set(current)
        if not stale or not self._ours:
            return
        for name in list(self._store.keys()):
            if self._store.uri(name) in stale:
                self._store.delete(name)
