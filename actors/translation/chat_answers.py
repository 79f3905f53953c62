"""What a language model answered: read, and not believed."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from copy import copy
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from actors.contracts.translation import Line, TranslationRequest
from actors.languages import primary
from actors.translation.chat_prompts import CANARY, Brief, density

_FEW_WORDS = 3
"""Lines of so few words may be names, numbers or `OK`: the same in both languages, and of no certain language."""
_SURE = 0.95
_LETTERS_TO_TELL_A_LANGUAGE = 20
_LONGEST, _SHORTEST = 3.0, 0.3
"""Bounds of a translation's length against its source's, both in letters; people's translations stay well within."""
_SPARE_LETTERS = 40
_LETTERS_TO_BE_SHORT = 24
_TOO_LONG = 1.25
"""What exceeds its time by so much cannot be spoken in it even hurriedly."""

_REASONING = re.compile(r"<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"\A\s*```(?:json)?\s*|\s*```\s*\Z")
_MARKUP = re.compile(r"<\|[^|]*\|>|</?(?:s|think|im_start|im_end|script|system|assistant|user)\b[^>]*>|```")
_LINK = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+\.\w+", re.IGNORECASE)
_KEYS = re.compile(r"[\"'](?:id|text|concise|lines)[\"']\s*:")
_REFUSAL = re.compile(
    r"\b(?:as an ai\b|as a language model|i(?: a|')m sorry,? (?:but )?i (?:can(?:no|')?t|am unable)|i can(?:no|')?t "
    r"(?:help|assist|translate)|here(?: i|')s the translation|translation:)",
    re.IGNORECASE,
)


class Fault(StrEnum):
    """Why an answer for a line is of no use."""

    MISSING = "missing"
    EMPTY = "empty"
    UNTRANSLATED = "untranslated"
    WRONG_LANGUAGE = "wrong language"
    RUNAWAY = "far longer than what was said"
    CURTAILED = "far shorter than what was said"
    INJECTED = "not a translation"
    OVERLONG = "too long for its time"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came for one line; `fault` is None where it can be used."""

    text: str = ""
    concise: str | None = None
    fault: Fault | None = Fault.MISSING


def read_lines(answer: str, request: TranslationRequest) -> list[Answer]:
    """One answer for each line of a request that was asked with `ask_for_passage`, in order."""
    given = _object(answer).get("lines")
    entries = [entry for entry in given if isinstance(entry, dict)] if isinstance(given, list) else []
    ids = [_integer(entry.get("id")) for entry in entries]
    by_id = dict(zip(ids, entries, strict=True))
    often = Counter(ids)
    return [
        _judged(by_id[number], line, request) if often[number] == 1 else Answer()
        for number, line in enumerate(request.lines, start=1)
    ]


def read_brief(answer: str, document: Collection[str]) -> Brief:
    """A summary and terms; nothing of them where the answer is none, terms only where the script holds them."""
    given = _object(answer)
    said = "\n".join(document).casefold()
    about = _clean(given.get("about"))[:600]
    entries = given.get("terms")
    pairs = [
        (_clean(entry.get("source")), _clean(entry.get("target")))
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
    ]
    terms = tuple((source, target) for source, target in pairs if source and target and source.casefold() in said)
    return Brief("" if _foreign(about, said) else about, tuple(pair for pair in terms if not _foreign(pair[1], said)))


def judge(text: str, line: Line, request: TranslationRequest) -> Fault | None:
    """Why a text cannot be the translation of a line, as far as that can be told without another model."""
    if not any(character.isalnum() for character in text) and any(map(str.isalnum, line.text)):
        return Fault.EMPTY
    if _foreign(text, line.text.casefold()):
        return Fault.INJECTED
    source = len(line.text) * density(request.source_language)
    target = len(text) * density(request.target_language)
    if target > _LONGEST * source + _SPARE_LETTERS:
        return Fault.RUNAWAY
    if source >= _LETTERS_TO_BE_SHORT and target < _SHORTEST * source:
        return Fault.CURTAILED
    if _long_enough(line.text) and _bare(text) == _bare(line.text):
        return Fault.UNTRANSLATED
    return Fault.WRONG_LANGUAGE if _in_another_language(text, request) else None


def _judged(entry: Mapping[str, Any], line: Line, request: TranslationRequest) -> Answer:
    text, concise = _clean(entry.get("text")), _clean(entry.get("concise"))
    fault = judge(text, line, request)
    if fault:
        return Answer(text, None, fault)
    shorter = concise if concise and len(concise) < len(text) and judge(concise, line, request) is None else None
    too_long = line.characters and len(shorter or text) > line.characters * _TOO_LONG
    fits = not line.characters or len(text) <= line.characters
    return Answer(text, None if fits else shorter, Fault.OVERLONG if too_long else None)


def _object(answer: str) -> Mapping[str, Any]:
    """The JSON object in an answer, also of a model that thinks aloud or fences it."""
    text = _FENCE.sub("", _REASONING.sub("", answer).strip())
    start = text.find("{")
    try:
        found, _ = json.JSONDecoder().raw_decode(text, max(0, start))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _integer(given: object) -> int | None:
    if isinstance(given, bool) or not isinstance(given, int | str):
        return None
    return int(given) if str(given).isascii() and str(given).isdigit() else None


def _clean(given: object) -> str:
    """One line of text without characters that nobody can speak."""
    if not isinstance(given, str):
        return ""
    spoken = "".join(" " if unicodedata.category(character) in {"Cc", "Zl", "Zp"} else character for character in given)
    return " ".join(spoken.split())


def _foreign(text: str, source: str) -> bool:
    """Whether a text holds what no translation of the source (case-folded) does."""
    folded = text.casefold()
    return (
        CANARY in folded
        or any(found.group().casefold() not in source for found in _MARKUP.finditer(text))
        or any(found.group().casefold().rstrip(".,;!?)") not in source for found in _LINK.finditer(text))
        or any(found.group().casefold() not in source for found in _KEYS.finditer(text))
        or any(found.group().casefold() not in source for found in _REFUSAL.finditer(text))
    )


def _long_enough(text: str) -> bool:
    return len(_bare(text).split()) > _FEW_WORDS


def _bare(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text.casefold()).split())


def _in_another_language(text: str, request: TranslationRequest) -> bool:
    """Whether a text is surely in the source's language, or in English, instead of in the target's."""
    target = primary(request.target_language)
    rivals = {primary(request.source_language), "en"} - {target}
    letters = sum(map(str.isalpha, text)) * density(request.target_language)
    if letters < _LETTERS_TO_TELL_A_LANGUAGE or not rivals:
        return False
    identifier = _identifier(frozenset({target, *rivals}))
    if identifier is None:
        return False
    found, probability = identifier.classify(text)
    return str(found) != target and float(probability) >= _SURE


@cache
def _identifier(languages: frozenset[str]) -> Any:
    """Tells the languages apart; None where it does not know one of them."""
    identifier = copy(_all_languages())
    if not languages <= set(identifier.labels):
        return None
    identifier.set_languages(languages)
    return identifier


@cache
def _all_languages() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
