from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from actors.contracts.audio import Clip
from actors.contracts.engine import Engine


class Gender(StrEnum):
    """How a voice sounds; `UNKNOWN` is better than a guess."""

    FEMALE = "female"
    MALE = "male"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, eq=False)
class VoiceSample:
    """Clean speech of one speaker in one scene: clips at 16 kHz, nobody else speaking."""

    clips: tuple[Clip, ...]


@dataclass(frozen=True, slots=True)
class VoiceTraits:
    """What a voice sounds like.

    Attributes:
        gender: How the voice sounds.
        confidence: 0 (a guess) to 1 (sure).
        pitch: Median fundamental frequency in Hz, None where nothing was voiced.
        evidence: Logarithm of the odds male : female, averaged over the voiced speech.
        seconds: How much voiced speech was measured.
    """

    gender: Gender
    confidence: float
    pitch: float | None
    evidence: float
    seconds: float


class VoiceAnalyser(Engine[VoiceSample, VoiceTraits], Protocol):
    """Tells how a voice sounds, so that its dub gets a voice that fits."""

    def combine(self, scenes: tuple[VoiceTraits, ...]) -> VoiceTraits:
        """Join what several scenes told about one speaker; needs no `load`."""
        ...
