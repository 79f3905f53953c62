"""Secrets that are shown once and stored as a hash: API keys, sessions, tickets.

They are 256 random bits, so a plain SHA-256 of them can be stored: nobody guesses them, however fast the hash.
"""

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from zlib import crc32

_BITS = 256
_KEY = re.compile(r"(dub_([0-9a-f]{16})_([0-9a-f]{64}))([0-9a-f]{8})", re.ASCII)


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """What a well-formed API key says of itself.

    Attributes:
        id: The part that is no secret.
        secret_hash: SHA-256 of the secret, hex.
    """

    id: str
    secret_hash: str

    def matches(self, secret_hash: str) -> bool:
        """Compare in a time that does not tell how much was right."""
        return compare_digest(self.secret_hash, secret_hash)


def new_key() -> str:
    """A new API key: `dub_<id>_<secret><checksum>`, all hex, so that a double click selects the whole of it."""
    key = f"dub_{secrets.token_hex(8)}_{new_token()}"
    return f"{key}{_checksum(key)}"


def read_key(text: str) -> PresentedKey | None:
    """Take an API key apart; None for what cannot be one, which its checksum tells without asking the database."""
    found = _KEY.fullmatch(text)
    if found is None or _checksum(found[1]) != found[4]:
        return None
    return PresentedKey(found[2], hash_of(found[3]))


def new_token() -> str:
    """A new session or ticket."""
    return secrets.token_hex(_BITS // 8)


def hash_of(token: str) -> str:
    """What is stored of a secret."""
    return sha256(token.encode(errors="surrogatepass")).hexdigest()


def _checksum(text: str) -> str:
    return f"{crc32(text.encode('ascii')):08x}"
