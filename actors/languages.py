"""Which of an engine's languages serves a requested one."""

from collections.abc import Collection

from langcodes import closest_supported_match
from langcodes.tag_parser import LanguageTagError

_ANOTHER_REGION = 5
"""CLDR's distance between two regional forms of one language; other languages and scripts are further apart."""


def lookup(requested: str, available: Collection[str]) -> str | None:
    """The available tag that serves a requested one best, by CLDR's language matching.

    Regional forms serve each other, the nearest first (`es-MX` is served by `es-419` rather than by `es`); another
    language or script never does.
    """
    try:
        return closest_supported_match(requested, sorted(available), max_distance=_ANOTHER_REGION)
    except LanguageTagError:
        return None


def primary(language: str) -> str:
    """The language itself, without script and region: `es` of `es-419`."""
    return language.partition("-")[0].lower()
