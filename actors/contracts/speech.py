from dataclasses import dataclass
from typing import Protocol

from actors.contracts.audio import Clip, Samples
from actors.contracts.engine import Engine
from actors.contracts.voices import Gender


@dataclass(frozen=True, slots=True)
class VoiceOffer:
    """A voice that an engine can speak with. Offers of one engine sound clearly different from each other.

    Attributes:
        id: Unique within the engine and language.
        gender: How it sounds.
        accent: BCP-47 of the language whose sounds it uses, where it has not those of the language itself.
    """

    id: str
    gender: Gender
    accent: str | None = None


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """One utterance to say.

    Attributes:
        text: What to say, in `language`.
        language: BCP-47.
        voice: The id of one of the engine's offers for that language; with a `reference`, a name that no other
            reference has.
        rate: Speed relative to the voice's natural one; 1.2 is a fifth faster. Engines without a rate ignore it.
        reference: Clean speech of one person whose voice is to be used, for engines that clone.
    """

    text: str
    language: str
    voice: str
    rate: float = 1.0
    reference: Clip | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """What was said, without silence before and after: mono float32 at `sample_rate` Hz."""

    samples: Samples
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


class Synthesizer(Engine[SpeechRequest, Speech], Protocol):
    """Says text with a voice."""

    @property
    def rates(self) -> tuple[float, float]:
        """The slowest and the fastest `SpeechRequest.rate` that the engine follows; (1.0, 1.0) where it has none."""
        ...

    @property
    def clones(self) -> bool:
        """Whether it can speak with the voice of a `SpeechRequest.reference`."""
        ...

    def languages(self) -> frozenset[str]:
        """Target languages (BCP-47) that the engine speaks."""
        ...

    def voices(self, language: str) -> tuple[VoiceOffer, ...]:
        """What can be had for a language, the most pleasant first; empty where it is not spoken. Needs no `load`."""
        ...
