from unicodedata import normalize

from cluster.errors import DubflowError, ErrorCode

MOST_CHARACTERS = 100


def parse_series(text: str) -> str:
    """The name of a series as it is kept: written in other ways that look the same it is the same series.

    Raises:
        DubflowError: `invalid_request`.
    """
    name = " ".join(normalize("NFC", text).split())
    if not name or len(name) > MOST_CHARACTERS or not name.isprintable():
        raise DubflowError(
            ErrorCode.INVALID_REQUEST, f"the name of a series has 1 to {MOST_CHARACTERS} printable characters"
        )
    return name
