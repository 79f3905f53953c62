"""Where the files of a job lie, and how one gets there: by a path or by a link into an object store."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cluster.blobs.contract import DirectBlobs
from cluster.blobs.store import open_blobs
from cluster.errors import DubflowError, ErrorCode
from cluster.objects import bucket_and_key
from cluster.sources import describe_source, local_path
from serve_apps.files.links import LINK_SECONDS, Linked, Links
from serve_apps.files.served import disposition, media_type


@dataclass(frozen=True, slots=True)
class Link:
    """An address that gives a file without a key, until it expires (UTC seconds since the epoch)."""

    url: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Place:
    """A file that the ledger or a cache of ours names; never one that a request does.

    Attributes:
        uri: `file://` or `s3://`.
        version: Changes with its content.
        name: What it is called when it is saved.
        size: Bytes.
        path: Where this machine has it; None for objects.
    """

    uri: str
    version: str
    name: str
    size: int
    path: Path | None


def find(uri: str, name: str, s3_endpoint_url: str) -> Place:
    """Look a file up.

    Raises:
        DubflowError: `not_found` where it is not there any more; `storage_failed`.
    """
    found = describe_source(uri, s3_endpoint_url=s3_endpoint_url)
    return Place(uri, found.version, name, found.size, local_path(uri) if uri.startswith("file://") else None)


class Linker:
    """Makes links to places.

    Args:
        links: For files of this machine.
        address: Gives the address of a file by its token.
        s3_endpoint_url: For S3-compatible servers.
    """

    def __init__(self, links: Links, address: Callable[[str], str], s3_endpoint_url: str) -> None:
        self._links = links
        self._address = address
        self._s3_endpoint_url = s3_endpoint_url

    def link(self, place: Place) -> Link:
        """A link that lasts an hour."""
        expires_at = time.time() + LINK_SECONDS
        if place.path is not None:
            return Link(self._address(self._links.sign(Linked(place.path, place.name), expires_at)), expires_at)
        bucket, key = bucket_and_key(place.uri)
        blobs = _bucket(bucket, self._s3_endpoint_url)
        kind = media_type(place.name)
        url = blobs.presigned_get(key, LINK_SECONDS, disposition=disposition(place.name), media_type=kind)
        return Link(url, expires_at)


@lru_cache(maxsize=16)
def _bucket(name: str, s3_endpoint_url: str) -> DirectBlobs:
    blobs = open_blobs(f"s3://{name}", s3_endpoint_url)
    if not isinstance(blobs, DirectBlobs):
        raise DubflowError(ErrorCode.INTERNAL, f"s3://{name} gives no links")
    return blobs
