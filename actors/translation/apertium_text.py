"""What goes to Apertium and comes back from it, as text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_SPECIAL = "^$[]{}<>@\\/*#~+"
"""Characters of Apertium's stream format, and those by which it marks what it could not translate."""

_FIRST_STAND_IN = 0xE000
_PROTECT = {ord(c): chr(_FIRST_STAND_IN + i) for i, c in enumerate(_SPECIAL)}
_RESTORE = {_FIRST_STAND_IN + i: c for i, c in enumerate(_SPECIAL)}
_PLAIN = {ord("\u2019"): "'", ord("\u2018"): "'", ord("\u00a0"): " ", **dict.fromkeys(_RESTORE, "")}

_MARK = re.compile(r"[*@#](?=\w)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back.

    Attributes:
        text: The translation without marks.
        unknown: How many words Apertium did not know.
    """

    text: str
    unknown: int


def message(text: str, terms: Sequence[str]) -> str:
    """What to send for one utterance.

    Special characters travel as private-use ones, which Apertium passes through, so nothing in a text can be taken for
    markup. Glossary terms travel as words that it cannot know.
    """
    plain = " ".join("".join(c if c.isprintable() or c.isspace() else "" for c in text.translate(_PLAIN)).split())
    for number, term in enumerate(terms):
        plain = re.sub(rf"(?<!\w){re.escape(term)}(?!\w)", _stand_in(number), plain, flags=re.IGNORECASE)
    return plain.translate(_PROTECT)


def outcome(answer: str, translated_terms: Sequence[str]) -> Outcome:
    """Read an answer: marks counted and removed, glossary terms and special characters put back."""
    unknown = len(_MARK.findall(answer))
    text = _MARK.sub("", answer)
    for number, term in enumerate(translated_terms):
        text, used = re.subn(_stand_in(number), term.replace("\\", r"\\"), text, flags=re.IGNORECASE)
        unknown -= used
    return Outcome(text.translate(_RESTORE), max(0, unknown))


def _stand_in(number: int) -> str:
    letters = "".join(chr(ord("a") + int(digit)) for digit in str(number))
    return f"Qzx{letters}zq"
