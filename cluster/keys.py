"""Content keys: what made an artefact names it, so that equal work is found again instead of being repeated."""

import json
import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from cluster.errors import DubflowError, ErrorCode

_DIGEST_BYTES = 16


def digest(*parts: Any) -> str:
    """Hash JSON-like values, in order, into 32 hex characters (BLAKE2b-128 of their canonical JSON).

    Mappings count as sets of pairs, so their order is of no importance; lists and tuples are the same. Everything else
    that differs gives another digest: `digest("a", "b")`, `digest("ab")` and `digest(["a", "b"])` are three.

    Floats are rendered as Python's `repr` does, the shortest text that reads back as the same double: 0.1 stays `0.1`
    on every platform, and 1.0 is another value than 1. Round a measured quantity before it goes into a key. A float32
    scalar of NumPy is refused: it would render as a double nobody wrote.

    Raises:
        DubflowError: `invalid_request` for what JSON cannot tell apart or hold: NaN, infinities, keys that are not
            strings, other types.
    """
    text = json.dumps([_canonical(part) for part in parts], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return blake2b(text.encode("ascii"), digest_size=_DIGEST_BYTES).hexdigest()


def _canonical(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float() if math.isfinite(value):
            return float(value)
        case Mapping():
            return {_name(key): _canonical(item) for key, item in value.items()}
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            return [_canonical(item) for item in value]
    raise DubflowError(ErrorCode.INVALID_REQUEST, f"{value!r} cannot be part of a content key; use plain JSON values")


def _name(key: Any) -> str:
    if not isinstance(key, str):
        raise DubflowError(ErrorCode.INVALID_REQUEST, f"the key {key!r} is not a string; use plain JSON values")
    return key
