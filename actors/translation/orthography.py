"""Spaces, capitals and punctuation of rule-based translations, as the target language writes them."""

import re

from actors.languages import primary

_INNER_WORD = re.compile(r"(?<=[\w,;:)\"'\u201d\u2019] )[^\W\d_]\w*")
"""A word that does not start a sentence."""

_ENGLISH_PRONOUN = re.compile(r"\bI\b")
_SENTENCE = re.compile(r"\S.*?(?:[.!?…]+(?=\s|$)|$)")
_OPENING = {"?": "¿", "!": "¡"}


def tidy(text: str, source: str, language: str) -> str:
    """Set a translation of `source` right for `language` (BCP-47).

    Rules reorder words and carry capitals along ("Fue" in mid-sentence); where the source has no name or other inner
    capital, the translation gets none.
    """
    text = re.sub(r"\s+([,.;:!?…])", r"\1", " ".join(text.split()))
    if not _has_inner_capital(_ENGLISH_PRONOUN.sub("i", source)):
        text = _INNER_WORD.sub(lambda match: match[0].lower(), text)
    if source[:1].isupper():
        text = _SENTENCE.sub(lambda match: match[0][:1].upper() + match[0][1:], text)
    return _SENTENCE.sub(_open, text) if primary(language) == "es" else text


def _has_inner_capital(text: str) -> bool:
    return any(word[0].isupper() for word in _INNER_WORD.findall(text))


def _open(sentence: re.Match[str]) -> str:
    """Spanish marks a question or an exclamation at its start too."""
    mark = _OPENING.get(sentence[0][-1], "")
    return sentence[0] if mark in sentence[0] else mark + sentence[0]
