"""Money and measures as words, with the names and plurals of units and currencies from CLDR."""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from actors.languages import primary
from actors.speech.reading.habits import HABITS, Habits
from actors.speech.reading.numbers import GAP, NUMBER, Numbers

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "%": "concentr-percent",
        "°C": "temperature-celsius",
        "°F": "temperature-fahrenheit",
        "°": "angle-degree",
        "km/h": "speed-kilometer-per-hour",
        "km²": "area-square-kilometer",
        "m²": "area-square-meter",
        "m³": "volume-cubic-meter",
        "ha": "area-hectare",
        "km": "length-kilometer",
        "m": "length-meter",
        "cm": "length-centimeter",
        "mm": "length-millimeter",
        "kg": "mass-kilogram",
        "g": "mass-gram",
        "mg": "mass-milligram",
        "l": "volume-liter",
        "L": "volume-liter",
        "ml": "volume-milliliter",
        "h": "duration-hour",
        "min": "duration-minute",
        "kWh": "energy-kilowatt-hour",
        "kW": "power-kilowatt",
        "MW": "power-megawatt",
        "W": "power-watt",
        "V": "electric-volt",
        "GHz": "frequency-gigahertz",
        "MHz": "frequency-megahertz",
        "kHz": "frequency-kilohertz",
        "Hz": "frequency-hertz",
        "TB": "digital-terabyte",
        "GB": "digital-gigabyte",
        "MB": "digital-megabyte",
        "kB": "digital-kilobyte",
        "mph": "speed-mile-per-hour",
        "ft": "length-foot",
        "mi": "length-mile",
        "lb": "mass-pound",
        "oz": "mass-ounce",
    }
)
SIGNS: Mapping[str, str] = MappingProxyType(
    {
        "US$": "USD",
        "R$": "BRL",
        "$": "USD",
        "€": "EUR",
        "£": "GBP",
        "¥": "JPY",
        "₹": "INR",
        **{code: code for code in ("USD", "EUR", "GBP", "JPY", "INR", "CHF", "MXN", "BRL", "CAD", "AUD")},
    }
)
_MANY = Decimal(1_000_000)
_NO_NOUNS = frozenset({"mil", "mille", "mila"})
"""Thousands count a currency like any number: `mil euros`, where a million is one `de euros`."""
_SPACE = rf"[ {GAP}]?"
_MINUS = r"(?<![\w)])[-\u2212]|"


def _any_of(words: Mapping[str, str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


class Amounts:
    """Money and measures of one language.

    Args:
        language: BCP-47.
        locale: Babel's of it.
        numbers: Of it.
    """

    def __init__(self, language: str, locale: Any, numbers: Numbers) -> None:
        self._locale, self._numbers = locale, numbers
        self._tongue = primary(language)
        self._habits = HABITS.get(self._tongue, Habits())
        signs, many = _any_of(SIGNS), _any_of(self._habits.many)
        many = rf"(?:{_SPACE}({many})(?!\w))?" if many else "()"
        self._after = re.compile(rf"(?<![\w.,])({NUMBER}){many}{_SPACE}({signs})(?!\w)")
        self._ahead = re.compile(rf"(?<!\w)({signs}){_SPACE}({NUMBER}){many}(?![\w%])")
        self._units = re.compile(rf"({_MINUS})(?<![\w.,])({NUMBER}){_SPACE}({_any_of(UNITS)})(?![\w/²³])")
        self._percent = re.compile(rf"(?<![\w%])%({NUMBER})(?![\w%])")
        linked = rf"(?:{_any_of(self._habits.many)}) (?:{self._habits.of} )?" if many != "()" else "(?!)"
        self._alone = re.compile(rf"(?<!\w)({linked})({signs})(?!\w)")

    def read(self, text: str) -> str:
        """A text whose amounts are words."""
        text = self._after.sub(lambda found: self._money(found[1], found[2], found[3]), text)
        text = self._ahead.sub(lambda found: self._money(found[2], found[3], found[1]), text)
        text = self._alone.sub(lambda found: found[1] + self._currency(SIGNS[found[2]], _MANY), text)
        text = self._percent.sub(lambda found: self._measure("", found[1], "%", found.group()), text)
        return self._units.sub(lambda found: self._measure(found[1], found[2], found[3], found.group()), text)

    def _money(self, written: str, many: str | None, sign: str) -> str:
        value, code = self._numbers.value(written), SIGNS[sign]
        if many:
            return f"{self._numbers.cardinal(written)} {self._habits.many[many]} {self._linked(many, code)}"
        if value is None or value != round(value, 2):
            return f"{self._numbers.cardinal(written)} {self._currency(code, _MANY)}"
        whole, cents = divmod(round(value * 100), 100)
        name = self._currency(code, Decimal(whole))
        said = f"{self._numbers.before(self._numbers.cardinal(str(whole)), name)} {name}"
        return " ".join(filter(None, (said, self._habits.cents, self._numbers.words(cents)))) if cents else said

    def _linked(self, many: str, code: str) -> str:
        """A currency after a word for a large number: `de euros`, `d'euros`, `euros`."""
        name = self._currency(code, _MANY)
        if not self._habits.of or many in _NO_NOUNS:
            return name
        elided = self._tongue in {"fr", "ca"} and name[0] in "aeiou"
        return f"d'{name}" if elided else f"{self._habits.of} {name}"

    def _currency(self, code: str, count: Decimal) -> str:
        from babel.numbers import get_currency_name

        if code in self._habits.money:
            one, several = self._habits.money[code]
            return one if count == 1 or (self._tongue == "fr" and count == 0) else several
        name = str(get_currency_name(code, count, self._locale))
        return name if self._tongue == "de" else name[0].lower() + name[1:]

    def _measure(self, minus: str, written: str, unit: str, otherwise: str) -> str:
        from babel.numbers import format_decimal
        from babel.units import UnknownUnitError, format_unit

        value = self._numbers.value(written)
        if value is None:
            return otherwise
        try:
            said = str(format_unit(value, UNITS[unit], "long", locale=self._locale))
        except UnknownUnitError:
            return otherwise
        head, number, noun = said.partition(str(format_decimal(value, locale=self._locale)))
        if not number:
            return otherwise
        words = self._numbers.before(self._numbers.cardinal(written), noun)
        return re.sub(rf"[{GAP}]", " ", f"{head}{self._numbers.below if minus else ''}{words}{noun}")
