"""Numbers as words, by num2words."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from actors.languages import lookup, primary
from actors.speech.reading.habits import HABITS, Habits

GAP = "\u00a0\u2009\u202f"
"""Spaces that stand between the thousands of one number."""
NUMBER = rf"(?:\d{{1,3}}(?:[{GAP}]\d{{3}})+(?:[.,]\d+)?|\d+(?:[.,]\d+)*)"
_GROUPED = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*")
_MOST_DIGITS = 15
"""Longer ones are read digit by digit, as are those that begin with a zero: they count nothing."""
_YEARS = range(1100, 2100)
_YEARS_APART = frozenset({"en", "de", "nl"})
"""Languages that say a year otherwise than they count."""
_CANNOT = (ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError, ValueError)
"""What num2words' languages raise at numbers that they cannot say: these are then read digit by digit."""
_AGREEMENT: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "ca": ((r"\bun$", "un", "una"), (r"\bdos$", "dos", "dues")),
    "de": ((r"^eins$", "ein", "eine"),),
    "es": ((r"veintiuno$", "veintiún", "veintiuna"), (r"\buno$", "un", "una")),
    "fr": ((r"\bun$", "un", "une"),),
    "it": ((r"^uno$", "un", "una"),),
    "pt": ((r"\bum$", "um", "uma"), (r"\bdois$", "dois", "duas")),
}
"""Language -> how the end of a number changes before a masculine and a feminine noun."""


class Numbers:
    """The numbers of one language.

    Args:
        language: BCP-47.
        decimal: The sign that its writers put before a fraction, or nothing where they disagree.
    """

    def __init__(self, language: str, decimal: str) -> None:
        from num2words import CONVERTER_CLASSES, num2words

        known = lookup(language, {name.replace("_", "-") for name in CONVERTER_CLASSES})
        self.name = "" if known is None else known.replace("-", "_")
        self._say: Callable[..., Any] = num2words
        self._decimal = decimal
        self._tongue = primary(language)
        self._habits = HABITS.get(self._tongue, Habits())

    def __bool__(self) -> bool:
        return bool(self.name)

    def value(self, written: str) -> Decimal | None:
        """What is meant by digits and separators; None where nothing is counted."""
        digits = re.sub(rf"[{GAP}]", "", written)
        if digits.isdecimal():
            return None if len(digits) > _MOST_DIGITS or (len(digits) > 1 and int(digits[0]) == 0) else Decimal(digits)
        if self._is_grouped(digits):
            return Decimal(re.sub(r"[.,]", "", digits))
        whole, fraction = re.split(r"[.,](?=\d*$)", digits)
        if whole.isdecimal() or _GROUPED.fullmatch(whole):
            return Decimal(f"{re.sub('[.,]', '', whole)}.{fraction}")
        return None

    def _is_grouped(self, digits: str) -> bool:
        """Whether all separators part thousands: three digits after each, and none is the sign of a fraction."""
        grouped = _GROUPED.fullmatch(digits)
        if grouped is None or int(digits[0]) == 0:
            return False
        return grouped[1] != self._decimal or digits.count(grouped[1]) > 1

    def cardinal(self, written: str) -> str:
        """A number, as it is counted."""
        value = self.value(written)
        if value is None:
            return self._one_by_one(written)
        if value == value.to_integral_value():
            return self.words(int(value)) or self._one_by_one(written)
        said = self.words(float(value)) or self._one_by_one(written)
        for sign, word in self._habits.point.items():
            if sign in written:
                said = re.sub(r"\b(?:punto|punt)\b", word, said)
        return said

    def ordinal(self, number: int, *, feminine: bool = False) -> str:
        """A number, as it is put in order."""
        said = self.words(number, to="ordinal") or self.words(number)
        if self._tongue == "fr" and feminine:
            return re.sub(r"^premier$", "première", said)
        return re.sub(r"o\b", "a", said) if feminine and self._tongue in {"es", "it", "pt"} else said

    def running(self, written: str) -> str:
        """A number of which nothing is known; four digits may be a year."""
        year = self._tongue in _YEARS_APART and written.isdecimal() and int(written) in _YEARS
        year = year and int(written[0]) > 0
        return (self.words(int(written), to="year") if year else "") or self.cardinal(written)

    def before(self, words: str, noun: str) -> str:
        """A cardinal as it stands before a noun, with which it agrees."""
        feminine = self.is_feminine(next(iter(noun.split()), ""))
        for pattern, his, hers in _AGREEMENT.get(self._tongue, ()):
            words = re.sub(pattern, hers if feminine else his, words)
        return words

    def is_feminine(self, noun: str) -> bool:
        """Whether a word is one of the units that take the feminine number."""
        return not self._habits.feminine.isdisjoint({noun, noun.removesuffix("s")})

    def words(self, value: float, to: str = "cardinal") -> str:
        """What the library says of a number; empty where it cannot."""
        try:
            return " ".join(str(self._say(value, lang=self.name, to=to)).split())
        except _CANNOT:
            return ""

    @property
    def below(self) -> str:
        """What is said before a number below zero, with the space after it."""
        return self.words(-1).removesuffix(self.words(1)) or "- "

    def _one_by_one(self, written: str) -> str:
        """Digit by digit."""
        return " ".join(self.words(int(digit)) or " " for digit in re.findall(r"\d", written)).strip()
