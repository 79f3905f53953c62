"""What a client says of a chunk's content: `Content-Digest` (RFC 9530) or `Upload-Checksum` (tus 1.0)."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from cluster.errors import DubflowError, ErrorCode

if TYPE_CHECKING:
    from hashlib import _Hash

_DIGEST = re.compile(r"\s*(sha-256|sha-512)\s*=\s*:([A-Za-z0-9+/=]*):\s*")
_ALGORITHMS = {"sha1": "sha1", "sha256": "sha256", "sha512": "sha512", "sha-256": "sha256", "sha-512": "sha512"}


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a chunk's digest has to be; nothing where its sender has not said."""

    algorithm: str = ""
    expected: bytes = b""

    @classmethod
    def of(cls, headers: Headers) -> "Checksum":
        """What the headers ask for.

        Raises:
            DubflowError: `invalid_request` for headers that cannot be read, rather than storing what nobody checked.
        """
        if (text := headers.get("content-digest")) is not None:
            for name, value in _DIGEST.findall(text):
                return cls(_ALGORITHMS[name], _decoded(value))
            raise _refusal("Content-Digest", "sha-256=:BASE64:")
        if (text := headers.get("upload-checksum")) is not None:
            name, _, value = text.strip().partition(" ")
            if name not in _ALGORITHMS:
                raise _refusal("Upload-Checksum", "sha256 BASE64")
            return cls(_ALGORITHMS[name], _decoded(value))
        return cls()

    def start(self) -> "_Hash | None":
        """What to feed the chunk to."""
        return hashlib.new(self.algorithm, usedforsecurity=False) if self.algorithm else None

    def check(self, fed: "_Hash | None") -> None:
        """Compare.

        Raises:
            DubflowError: `invalid_request` where the chunk is not what was sent.
        """
        if fed is not None and fed.digest() != self.expected:
            raise DubflowError(
                ErrorCode.INVALID_REQUEST, "the chunk does not match its checksum and was discarded; send it again"
            )


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DubflowError(ErrorCode.INVALID_REQUEST, "the checksum is not base64") from error


def _refusal(header: str, form: str) -> DubflowError:
    return DubflowError(ErrorCode.INVALID_REQUEST, f"{header} cannot be read; send `{form}` or leave it out")
