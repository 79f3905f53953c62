from dataclasses import dataclass
from typing import Protocol

from actors.contracts.engine import ConcurrentEngine, Engine


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance to translate.

    Attributes:
        id: Comes back with the translation.
        speaker: Name or number of who says it.
        text: What is said.
        seconds: The time that its dub may occupy, for engines that can fit text to time.
        characters: About how many characters of the target language fit into it; 0 where that is not known.
    """

    id: str
    speaker: str
    text: str
    seconds: float
    characters: int = 0


@dataclass(frozen=True, slots=True)
class TranslationRequest:
    """One passage: consecutive lines of one script.

    Attributes:
        source_language: BCP-47.
        target_language: BCP-47.
        lines: What to translate.
        context: Source text of the lines before these, oldest first.
        glossary: (source term, target term) pairs to keep to.
        document: Source text of the whole script, for engines that read more than the passage. It may improve a
            translation; it decides none: who edits a line does not have all others translated anew.
    """

    source_language: str
    target_language: str
    lines: tuple[Line, ...]
    context: tuple[str, ...] = ()
    glossary: tuple[tuple[str, str], ...] = ()
    document: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TranslatedLine:
    """A translated utterance.

    Attributes:
        id: The line's.
        text: The natural translation.
        concise: A shorter one where the natural one would overflow, else None.
        flags: Out of the documented list (`translation_fallback`, `unknown_words`, ...).
    """

    id: str
    text: str
    concise: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Translation:
    """One line for each requested line, in order; a line that cannot be translated is missing."""

    lines: tuple[TranslatedLine, ...]


class _Pairs(Protocol):
    def pairs(self) -> frozenset[tuple[str, str]]:
        """(source, target) languages, BCP-47, that the engine can translate here and now."""
        ...


class BatchTranslator(Engine[TranslationRequest, Translation], _Pairs, Protocol):
    """Turns lines of one language into another, a batch of passages at a time."""


class ConcurrentTranslator(ConcurrentEngine[TranslationRequest, Translation], _Pairs, Protocol):
    """The same, passages coming and going."""


Translator = BatchTranslator | ConcurrentTranslator
