"""Dates and times of day as words, with the names of months and the order of dates from CLDR."""

import re
from datetime import date
from typing import Any

from actors.languages import primary
from actors.speech.reading.habits import HABITS, Habits
from actors.speech.reading.numbers import Numbers

_ISO = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")
_NUMERIC = re.compile(r"(?<![\d./-])(\d{1,2})(?:/(\d{1,2})/(\d{4}|\d{2})|([.-])(\d{1,2})\4(\d{4}))(?![\d/]|[.-]\d)")
_THIS_CENTURY = 50
_AFTER_THESE_WEAK = re.compile(r"\b(?:am|dem|vom|zum|im|den|bis|ab|seit)\s+$", re.IGNORECASE)
"""German days are inflected: `am zwölften März`, `der zwölfte März`."""


class Moments:
    """Dates and times of one language.

    Args:
        language: BCP-47.
        locale: Babel's of it.
        numbers: Of it.
    """

    def __init__(self, language: str, locale: Any, numbers: Numbers) -> None:
        self._locale, self._numbers = locale, numbers
        self._tongue = primary(language)
        self._habits = HABITS.get(self._tongue, Habits())
        order = re.sub(r"[^dMy]", "", re.sub(r"(.)\1+", r"\1", locale.date_formats["short"].pattern))
        self._order = order if sorted(order) == ["M", "d", "y"] else "dMy"
        names = {name for kind in ("format", "stand-alone") for name in locale.months[kind]["wide"].values()}
        months = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
        self._day_first = re.compile(
            rf"(?<![\d.,:])(\d{{1,2}})(?:\.|\.?º|er|st|nd|rd|th)?(\s+(?:de\s+|d['\u2019]|of\s+)?)({months})(?!\w)",
            re.IGNORECASE,
        )
        self._month_first = re.compile(
            rf"(?<!\w)({months})\s+(\d{{1,2}})(?:st|nd|rd|th)?(?![\w:]|[.,]\d)", re.IGNORECASE
        )
        letter = r"[:.]" if self._tongue in {"de", "nl"} else ":"
        self._clock = re.compile(
            rf"(?<![\d:.,])([01]?\d|2[0-4]){letter}([0-5]\d)(?::([0-5]\d))?\s?(?:Uhr|uur|heures|horas|h)(?!\w)"
            r"|(?<![\d:.,])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?![\d:])(\s?[ap]\.?m\b)?",
            re.IGNORECASE,
        )
        self._hours = re.compile(r"(?<![\d:.,])([01]?\d|2[0-4])\s?h(?:\s?([0-5]\d))?(?!\w)")

    def read(self, text: str) -> str:
        """A text whose dates and times are words; years stay numbers, which are read as years."""
        text = _ISO.sub(lambda found: self._long(found.group(), *map(int, found.groups())), text)
        text = _NUMERIC.sub(self._numeric, text)
        if self._tongue == "en":
            text = self._month_first.sub(lambda found: f"{found[1]} {self._day(int(found[2]), '')}", text)
            text = self._day_first.sub(self._day_of_month, text)
        else:
            text = self._day_first.sub(
                lambda found: f"{self._day(int(found[1]), found.string[: found.start()])}{found[2]}{found[3]}", text
            )
        text = self._clock.sub(self._of_clock, text)
        return self._hours.sub(lambda found: self._said(found[1], found[2] or "00"), text) if self._by_h else text

    @property
    def _by_h(self) -> bool:
        """Whether `14 h 30` is a time of day."""
        return self._tongue in {"fr", "pt"}

    def _numeric(self, found: re.Match[str]) -> str:
        one, two, three, _, other_two, other_three = found.groups()
        middle, last = two or other_two, three or other_three
        year = int(last) + (0 if len(last) > 2 else 2000 if int(last) < _THIS_CENTURY else 1900)  # noqa: PLR2004
        month_first = self._order.index("M") < self._order.index("d") and self._order[0] != "y"
        month, day = (int(one), int(middle)) if month_first else (int(middle), int(one))
        if month > 12 >= day:  # noqa: PLR2004 - the other way round, then
            month, day = day, month
        return self._long(found.group(), year, month, day)

    def _long(self, written: str, year: int, month: int, day: int) -> str:
        from babel.dates import format_date

        try:
            return re.sub(r"\s*\u0433\.$", "", str(format_date(date(year, month, day), "long", locale=self._locale)))
        except ValueError:  # no such day
            return written

    def _day(self, day: int, before: str) -> str:
        if day == 1 and self._habits.first:
            return self._habits.first
        if not self._habits.ordinal_days:
            return self._numbers.words(day) or str(day)
        said = self._numbers.ordinal(day)
        return f"{said}n" if self._tongue == "de" and _AFTER_THESE_WEAK.search(before) else said

    def _day_of_month(self, found: re.Match[str]) -> str:
        """An English day that stands before its month."""
        article = "" if re.search(r"\bthe\s+$", found.string[: found.start()], re.IGNORECASE) else "the "
        return f"{article}{self._day(int(found[1]), '')} of {found[3]}"

    def _of_clock(self, found: re.Match[str]) -> str:
        hour, minute, second = (found[i] or found[i + 3] for i in (1, 2, 3))
        half_day = found[7] or ""
        said = self._said(hour, minute, short=bool(half_day))
        return said + (f" {self._numbers.words(int(second))}" if second else "") + half_day

    def _said(self, hour: str, minute: str, *, short: bool = False) -> str:
        full, with_minutes = self._habits.clock
        hours = self._numbers.before(self._numbers.words(int(hour)), _HOUR.get(self._tongue, ""))
        minutes = self._numbers.words(int(minute))
        if self._tongue == "en" and int(minute) and minute[0] == "0":
            minutes = f"oh {minutes}"
        past_noon = self._tongue == "en" and int(hour) > 12  # noqa: PLR2004
        template = ("{h}" if short else "{h} hundred" if past_noon else full) if not int(minute) else with_minutes
        said = template.format(h=hours, m=minutes)
        return re.sub(r"^(une heure|uma hora)s\b", r"\1", said)


_HOUR = {"es": "hora", "fr": "heure", "it": "ora", "pt": "hora", "ca": "hora", "de": "Uhr"}
"""What is counted, for the gender of hours."""
