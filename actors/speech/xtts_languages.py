"""What XTTS v2 speaks: its languages, the voices that come with it, and how much text it takes at once."""

import re
import textwrap
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from actors.contracts.speech import VoiceOffer
from actors.contracts.voices import Gender
from actors.languages import lookup

LETTERS: Mapping[str, int] = MappingProxyType(
    {
        "ar": 166,
        "cs": 186,
        "de": 253,
        "en": 250,
        "es": 239,
        "fr": 273,
        "hu": 224,
        "it": 213,
        "ko": 95,
        "nl": 251,
        "pl": 224,
        "pt": 203,
        "ru": 182,
        "tr": 226,
    }
)
"""Language -> the most characters that it says without losing its end, as its tokenizer states them.

Its Chinese and Japanese want packages for their scripts, and its Hindi numbers, that this project does not install.
"""

_WOMEN = (
    *("Claribel Dervla", "Daisy Studious", "Gracie Wise", "Tammie Ema", "Alison Dietlinde", "Ana Florence"),
    *("Annmarie Nele", "Asya Anara", "Brenda Stern", "Gitta Nikolina", "Henriette Usha", "Sofia Hellen"),
)
_MEN = (
    *("Andrew Chipper", "Badr Odhiambo", "Dionisio Schuyler", "Royston Min", "Viktor Eka", "Abrahan Mack"),
    *("Adde Michal", "Baldur Sanjin", "Craig Gutsy", "Damien Black", "Gilberto Mathias", "Ilkin Urbano"),
)
VOICES = (
    *(VoiceOffer(name, Gender.FEMALE) for name in _WOMEN),
    *(VoiceOffer(name, Gender.MALE) for name in _MEN),
)
"""Of the speakers in `speakers_xtts.pth`: each speaks every language."""

_BREAKS = re.compile(r"(?<=[.!?…;:,])\s+")


def spoken(language: str) -> str | None:
    """The language of XTTS that a BCP-47 tag asks for, or None."""
    return lookup(language, LETTERS)


def pieces(text: str, language: str) -> Iterator[str]:
    """A text in as few parts as XTTS can say, broken after punctuation where there is some."""
    most = LETTERS[language]
    piece = ""
    for clause in _BREAKS.split(text.strip()):
        for part in textwrap.wrap(clause, most, break_on_hyphens=False):
            if piece and len(piece) + 1 + len(part) > most:
                yield piece
                piece = ""
            piece = f"{piece} {part}".strip()
    if piece:
        yield piece
