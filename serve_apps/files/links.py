"""Links to files of this service: whoever holds one may read one file for a while, without a key."""

import base64
import hmac
import json
import re
import time
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes

from cluster.blobs.contract import BlobStore, FileBlobs

_SECRET_KEY = "secrets/links"  # noqa: S105 - where it lies
_SECRET_BYTES = 32
_TAG_BYTES = 16
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")

LINK_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Linked:
    """A file that a link leads to, and what it is called."""

    path: Path
    name: str


class Links:
    """Signs links and reads them back.

    The secret lies in the blob store: all replicas and proxies share it, and who can read it there can read the files.

    Args:
        blobs: The service's blob store.
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def sign(self, file: Linked, expires_at: float) -> str:
        """The token of a link.

        Args:
            file: Where it leads to.
            expires_at: UTC seconds since the epoch.
        """
        root = self._root
        inside = root is not None and file.path.is_relative_to(root)
        place = str(file.path.relative_to(root)) if root is not None and inside else str(file.path)
        payload = json.dumps([place, file.name, round(expires_at)], separators=(",", ":")).encode()
        payload += b" " * (-(_TAG_BYTES + len(payload)) % 3)  # base64 needs no padding then, and JSON does not mind
        return base64.urlsafe_b64encode(self._tag(payload) + payload).decode("ascii")

    def read(self, token: str) -> Linked | None:
        """What a token leads to; None for one that expired, or that is not ours."""
        if not _TOKEN.fullmatch(token) or len(token) % 4:
            return None
        data = base64.urlsafe_b64decode(token)
        tag, payload = data[:_TAG_BYTES], data[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(payload)):
            return None
        place, name, expires_at = json.loads(payload)
        if expires_at <= time.time():
            return None
        return Linked((self._root or Path("/")) / place, name)

    def _tag(self, payload: bytes) -> bytes:
        return hmac.digest(self._secret, payload, sha256)[:_TAG_BYTES]

    @cached_property
    def _secret(self) -> bytes:
        self._blobs.put_new(_SECRET_KEY, token_bytes(_SECRET_BYTES))
        return self._blobs.get_bytes(_SECRET_KEY)

    @cached_property
    def _root(self) -> Path | None:
        return self._blobs.local_path("root").parent if isinstance(self._blobs, FileBlobs) else None
