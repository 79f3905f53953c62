"""What is written short, as it is read aloud: `12/3`, `5 km`, `Dr.` and numbers as words.

For voices that know only letters, and for those that guess at the rest.
"""

import re
from collections.abc import Mapping
from functools import cache, partial

from actors.languages import primary
from actors.speech.reading.amounts import Amounts
from actors.speech.reading.habits import HABITS, Habits
from actors.speech.reading.moments import Moments
from actors.speech.reading.numbers import GAP, NUMBER, Numbers

VERSION = "r1"
"""Part of the version of every engine that reads by this; changes whenever a text would be read otherwise."""
_DISAGREEING = frozenset({"es"})
"""Languages whose countries write fractions differently: digits alone tell."""
_ENDINGS: Mapping[str, str] = {
    "en": r"(?P<m>st|nd|rd|th)",
    "es": r"\.?(?P<m>º|er|o)|\.?(?P<f>ª|a)",
    "fr": r"(?P<m>er|e|ème|nd)|(?P<f>re|ère|nde)",
    "it": r"(?P<m>º)|(?P<f>ª)",
    "pt": r"\.?(?P<m>º)|\.?(?P<f>ª)",
    "nl": r"(?P<m>e|ste|de)",
    "ca": r"(?P<m>r|n|t|è)",
}
"""What is written after a number that puts in order."""


def written_out(text: str, language: str) -> str:
    """A text as it is read aloud; as it was in languages that the libraries do not know."""
    reader = _reader(language)
    return reader.read(text) if reader else text


@cache
def _reader(language: str) -> "_Reader | None":
    from babel import Locale, UnknownLocaleError

    try:
        locale = Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return None
    signs = locale.number_symbols["latn"]
    numbers = Numbers(language, "" if primary(language) in _DISAGREEING else signs["decimal"])
    return _Reader(language, locale, numbers, spaced=signs["group"] in GAP) if numbers else None


class _Reader:
    def __init__(self, language: str, locale: object, numbers: Numbers, *, spaced: bool) -> None:
        self._numbers = numbers
        self._spaced = spaced
        self._tongue = primary(language)
        self._habits = HABITS.get(self._tongue, Habits())
        self._moments = Moments(language, locale, numbers)
        self._amounts = Amounts(language, locale, numbers)
        self._short = [
            (_short(mark), partial(_full, said, mark.endswith("^"))) for mark, said in self._habits.short.items()
        ]
        endings = _ENDINGS.get(self._tongue)
        self._ordinals = re.compile(rf"(?<![\w.,])(\d{{1,4}})(?:{endings})(?!\w)") if endings else None

    def read(self, text: str) -> str:
        if self._spaced:
            text = _SPACED.sub(lambda found: found.group().replace(" ", GAP[0]), text)
        for pattern, full in self._short:
            text = pattern.sub(full, text)
        text = self._amounts.read(self._moments.read(text))
        if self._ordinals:
            text = self._ordinals.sub(
                lambda found: self._numbers.ordinal(int(found[1]), feminine=bool(found.groupdict().get("f"))), text
            )
        if self._habits.until:
            text = _RANGE.sub(self._range, text)
        text = _SIGNED.sub(self._signed, text)
        return _ANY.sub(self._counted, text)

    def _range(self, found: re.Match[str]) -> str:
        first, last = found.groups()
        rises = int(first) < int(last)
        return f"{first} {self._habits.until} {last}" if rises else found.group()

    def _signed(self, found: re.Match[str]) -> str:
        return self._numbers.below + self._numbers.cardinal(found[1])

    def _counted(self, found: re.Match[str]) -> str:
        """A number, which agrees with the unit that follows it in full."""
        noun = re.match(r" ([^\W\d_]+)", found.string[found.end() :])
        said = self._numbers.running(found.group())
        return _apart(
            found, self._numbers.before(said, noun[1]) if noun and self._numbers.is_feminine(noun[1]) else said
        )


_SPACED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?: \d{3})+(?!\d)")
_RANGE = re.compile(r"(?<![\w.,-])(\d{1,4})[-\u2013](\d{1,4})(?![\w-]|[.,]\d)")
_SIGNED = re.compile(rf"(?<![\w)\-\u2212])[-\u2212]({NUMBER})(?![\w-])")
_ANY = re.compile(rf"{NUMBER}|\d+")


def _short(mark: str) -> re.Pattern[str]:
    """How an abbreviation may be written: with other spaces or none, and as the first word of a sentence."""
    ahead = {"#": r"(?=\s?\d)", "^": r"(?=\s+[^\W\d_])"}.get(mark[-1], r"(?!\w)")
    letters = re.escape(mark.rstrip("#^")).replace(r"\ ", r"\s?")
    return re.compile(rf"(?<!\w){letters}{ahead}")


def _full(said: str, title: bool, found: re.Match[str]) -> str:
    """An abbreviation in full; its dot stays where it ends the sentence, too."""
    after = found.string[found.end() :]
    ends = found.group().endswith(".") and not title and (not after.strip() or re.match(r"\s+[A-ZÁÉÍÓÚÀÈ¿¡]", after))
    return f"{said}." if ends else said


def _apart(found: re.Match[str], words: str) -> str:
    """Words in the place of digits, apart from letters that touch them."""
    before, after = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    return f"{' ' if before.isalnum() else ''}{words}{' ' if after.isalnum() else ''}"
