"""Names of finished files. A stem is kept percent-encoded: names on disk are bytes and need not be text."""

import os
from hashlib import blake2b
from pathlib import PurePath
from unicodedata import category
from urllib.parse import quote_from_bytes, unquote_to_bytes

LONGEST_STEM_BYTES = 200
"""Of one segment: with language and extension the name has to fit into the 255 bytes that file systems allow."""


def encode_stem(path: PurePath) -> str:
    """A relative path without extension, as text that any database and JSON can hold."""
    return quote_from_bytes(os.fsencode(path), safe="/ ")


def file_name(stem: str, language: str, suffix: str) -> str:
    """The name of one finished file, relative to the job's destination: `talks/monday.es.mp4`.

    Bytes that are no UTF-8, and control characters, come out percent-encoded: results can be named everywhere.
    """
    segments = [_segment(segment) for segment in stem.split("/")]
    return "/".join(segments) + f".{language}{suffix}"


def _segment(encoded: str) -> str:
    text = unquote_to_bytes(encoded).decode("utf-8", "surrogateescape")
    name = "".join(_legible(character) for character in text)
    if len(name.encode()) <= LONGEST_STEM_BYTES:
        return name
    kept = name.encode()[: LONGEST_STEM_BYTES - 9].decode("utf-8", "ignore")
    return f"{kept}-{blake2b(name.encode(), digest_size=4).hexdigest()}"


def _legible(character: str) -> str:
    if category(character) in {"Cc", "Cs"} or character == "\\":
        return "".join(f"%{byte:02X}" for byte in os.fsencode(character))
    return character
