from dataclasses import dataclass
from typing import Protocol

from actors.contracts.audio import Clip, Span
from actors.contracts.engine import Engine


@dataclass(frozen=True, slots=True, eq=False)
class TranscriptionRequest:
    """One scene.

    Attributes:
        clip: The scene's audio at 16 kHz.
        speech: Where somebody speaks, on the source's clock, sorted and disjoint.
        language: BCP-47, or None to detect it.
        terms: Names and words that are likely to occur.
    """

    clip: Clip
    speech: tuple[Span, ...]
    language: str | None = None
    terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word on the source's clock, with its posterior probability.

    `text` is as written, with its punctuation and without surrounding space. `language` is set where it is surely
    another one than the scene's.
    """

    text: str
    start: float
    end: float
    probability: float
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Transcription:
    """The words of one scene, sorted by start.

    Attributes:
        words: Sorted by start.
        language: BCP-47 of most of it; None where there was no speech to tell it from.
        language_probability: How sure that is.
        dropped: Speech whose text was taken for invented, and left out; sorted and disjoint.
    """

    words: tuple[Word, ...]
    language: str | None
    language_probability: float
    dropped: tuple[Span, ...] = ()


class Transcriber(Engine[TranscriptionRequest, Transcription], Protocol):
    """Turns speech into words with times."""

    def languages(self) -> frozenset[str]:
        """Source languages (BCP-47) that the engine understands."""
        ...
