"""Which voice dubs which speaker."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from actors.contracts.engine import EngineError
from actors.contracts.speech import VoiceOffer
from actors.contracts.voices import Gender, VoiceTraits


@dataclass(frozen=True, slots=True)
class CastSpeaker:
    """A speaker who needs a voice.

    Attributes:
        id: The speaker's name within the source.
        seconds: How long they speak; who speaks most chooses first.
        traits: What their own voice sounds like.
    """

    id: str
    seconds: float
    traits: VoiceTraits


def assign_voices(
    speakers: Sequence[CastSpeaker],
    offers: Sequence[VoiceOffer],
    fixed: Mapping[str, str] = MappingProxyType({}),
    elsewhere: Collection[str] = (),
) -> Mapping[str, str]:
    """Give each speaker (id) a voice (id); the same for the same speakers and offers, in whatever order they come.

    1. Each gets a voice of their gender (of unknown gender: a neutral one), the most pleasant who speaks most.
    2. Who is left gets another voice, as long as there is one: a neutral one, or of the gender that an uncertain voice
       leans to, rather than of the wrong gender.
    3. With more speakers than voices, the least used voice that fits best is used again.

    Args:
        speakers: Who needs a voice.
        offers: The voices, the most pleasant first.
        fixed: Voices that speakers have already, by id: they keep them, and others get different ones.
        elsewhere: Voices of people who are not heard here, once for each: of those that fit equally, and have no
            more of an accent, the least used is taken.

    Raises:
        EngineError: `unsupported_language` where there is no voice at all.
    """
    if speakers and not offers:
        raise EngineError(
            "there is no voice for the target language; choose another speech engine", code="unsupported_language"
        )
    biggest_first = sorted(speakers, key=lambda speaker: (-speaker.seconds, -speaker.traits.confidence, speaker.id))
    used = Counter(elsewhere)
    casting = _Casting(sorted(offers, key=lambda offer: (bool(offer.accent), used[offer.id])), fixed)
    for speaker in biggest_first:
        casting.take(speaker, [offer for offer in casting.free if offer.gender is speaker.traits.gender])
    for speaker in biggest_first:
        casting.take(speaker, sorted(casting.free, key=lambda offer: _strangeness(speaker, offer)))
    for speaker in biggest_first:
        casting.take(
            speaker, sorted(casting.offers, key=lambda offer: (_strangeness(speaker, offer), casting.uses(offer)))
        )
    return casting.voices


class _Casting:
    def __init__(self, offers: Sequence[VoiceOffer], fixed: Mapping[str, str]) -> None:
        self.voices = dict(fixed)
        self.offers = offers
        self.free = [offer for offer in offers if offer.id not in fixed.values()]

    def uses(self, offer: VoiceOffer) -> int:
        return Counter(self.voices.values())[offer.id]

    def take(self, speaker: CastSpeaker, wanted: Sequence[VoiceOffer]) -> None:
        """Give a speaker who has no voice yet the first of the wanted ones."""
        if wanted and speaker.id not in self.voices:
            self.voices[speaker.id] = wanted[0].id
            self.free = [offer for offer in self.free if offer.id != wanted[0].id]


def _strangeness(speaker: CastSpeaker, offer: VoiceOffer) -> int:
    """How little a voice fits a speaker: 0 to 2."""
    if offer.gender is speaker.traits.gender:
        return 0
    if speaker.traits.gender is Gender.UNKNOWN:
        leaning = Gender.MALE if speaker.traits.evidence > 0 else Gender.FEMALE
        return 1 if offer.gender is leaning else 2
    return 1 if offer.gender is Gender.UNKNOWN else 2
