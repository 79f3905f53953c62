"""Case and punctuation for the words of a recogniser that has neither; translation gets better by it."""

import re
from collections.abc import Sequence
from dataclasses import replace

from actors.contracts.transcription import Word

_SENTENCE_PAUSE = 0.6
"""Seconds of silence that end a sentence."""

_DAYS = "monday tuesday wednesday thursday friday saturday sunday"
_MONTHS = "january february april june july august september october november december christmas"
_PEOPLES = (
    "america american americans african asian australian british canadian chinese dutch english europe european french "
    "german germany greek indian italian japanese mexican polish portuguese russian scottish spanish swedish turkish"
)
_ALWAYS_CAPITAL = frozenset(f"{_DAYS} {_MONTHS} {_PEOPLES}".split())
"""English words that are names and nothing else."""


def write_english(words: Sequence[Word], terms: Sequence[str] = ()) -> tuple[Word, ...]:
    """Write recognised words as sentences.

    A sentence begins after a pause and ends with a full stop; "I", common names, and the names among `terms` get their
    capitals. Nothing is guessed beyond that: no commas, no question marks.
    """
    names = _names(terms)
    written = []
    for i, word in enumerate(words):
        starts = i == 0 or word.start - words[i - 1].end >= _SENTENCE_PAUSE
        ends = i == len(words) - 1 or words[i + 1].start - word.end >= _SENTENCE_PAUSE
        text = _cased(word.text, names)
        text = text[:1].upper() + text[1:] if starts else text
        written.append(replace(word, text=f"{text}." if ends else text))
    return tuple(written)


def _names(terms: Sequence[str]) -> dict[str, str]:
    """How each word of the terms is written, where that is not in lower case."""
    parts = [part for term in terms for part in re.findall(r"[\w']+", term)]
    return {part.lower(): part for part in parts if part != part.lower()}


def _cased(word: str, names: dict[str, str]) -> str:
    stem, apostrophe, ending = word.partition("'")
    if word in names:
        return names[word]
    if stem in names:
        return names[stem] + apostrophe + ending
    return word.capitalize() if stem == "i" or stem in _ALWAYS_CAPITAL else word
