"""Languages as people write them."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

import langcodes

from cluster.errors import DubflowError, ErrorCode

_ANOTHER_REGION = 5
"""CLDR's distance between two regional forms of one language; other languages and scripts are further apart."""

_RELATED = 60
"""Languages further apart than this are no help to whom the nearer one is missing."""


def parse_language(text: str) -> str:
    """The BCP-47 tag of a tag or an English name: `es`, `spa`, `pt-BR`, `Spanish`.

    Raises:
        DubflowError: `unsupported_language`.
    """
    written = text.strip()
    if not written.isprintable():  # among them what the tables of names cannot be asked for at all
        raise _unknown(written)
    try:
        language = langcodes.Language.get(written)
        if language.is_valid():
            return str(langcodes.standardize_tag(written))
        return str(langcodes.find(written).to_tag())
    except (LookupError, ValueError):
        try:
            return str(langcodes.find(written).to_tag())
        except (LookupError, ValueError):  # the latter for text that its table of names cannot hold
            raise _unknown(written) from None


def parse_languages(texts: Iterable[str]) -> tuple[str, ...]:
    """All tags of comma-separated lists, without repetition.

    Raises:
        DubflowError: `unsupported_language`, or `invalid_request` for an empty list.
    """
    tags = [parse_language(piece) for text in texts for piece in text.split(",") if piece.strip()]
    if not tags:
        raise DubflowError(ErrorCode.INVALID_REQUEST, "name at least one target language, such as es")
    return tuple(dict.fromkeys(tags))


def serves(tag: str, available: Collection[str]) -> bool:
    """Tell whether one of the available languages is this one, or another regional form of it."""
    return langcodes.closest_supported_match(tag, sorted(available), max_distance=_ANOTHER_REGION) is not None


def nearest(text: str, available: Collection[str]) -> str | None:
    """The available language that somebody may have meant: one written like it, or one related to it."""
    names = {name.lower(): tag for tag in available for name in (tag, langcodes.Language.get(tag).display_name())}
    written = get_close_matches(text.strip().lower(), names, n=1)
    if written:
        return names[written[0]]
    try:
        return langcodes.closest_supported_match(text, sorted(available), max_distance=_RELATED)
    except ValueError:
        return None


def _unknown(written: str) -> DubflowError:
    return DubflowError(
        ErrorCode.UNSUPPORTED_LANGUAGE,
        f"there is no language {written!r}; write a tag such as es or pt-BR (`dubflow languages` lists them)",
    )
