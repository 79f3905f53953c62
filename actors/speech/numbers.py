"""Numbers as words, for voices that only know letters."""

import re

from actors.languages import lookup

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_GROUPED = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*")


def spelled(text: str, language: str) -> str:
    """A text whose numbers are written out, by num2words; as it was in languages that the library does not count in."""
    from num2words import CONVERTER_CLASSES, num2words

    known = lookup(language, {name.replace("_", "-") for name in CONVERTER_CLASSES})
    if known is None:
        return text
    name = known.replace("-", "_")
    return _NUMBER.sub(lambda found: str(num2words(_value(found.group()), lang=name)), text)


def _value(digits: str) -> int | float:
    """What is meant by separators: three digits after each are thousands, else the last one begins the fraction."""
    if _GROUPED.fullmatch(digits):
        return int(re.sub(r"[.,]", "", digits))
    whole, separator, fraction = digits.replace(",", ".").rpartition(".")
    return float(f"{whole.replace('.', '')}.{fraction}") if separator else int(digits)
