"""What pocket-tts speaks: the networks and tokenizers of its languages, and the voices that come with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from actors.contracts.speech import VoiceOffer
from actors.contracts.voices import Gender

CLONING, OPEN = "kyutai/pocket-tts", "kyutai/pocket-tts-without-voice-cloning"
"""Repositories: the first one's owner asks for an account; the second one's networks know their own voices only."""
VOICES_REVISION = "a7056f505a4a8ca72d8b5fb1440071d6f1a35739"


@dataclass(frozen=True, slots=True)
class PocketLanguage:
    """One language; the library's release names the commits.

    Attributes:
        name: What the library calls it.
        cloning: Commit of the network that clones voices.
        open: Commit of the network that does not.
        tokenizer: Commit of its tokenizer, in the second repository.
        natives: Voices whose speakers grew up with it, in the order in which they are offered.
    """

    name: str
    cloning: str
    open: str
    tokenizer: str
    natives: tuple[str, ...] = ()


_FIRST = ("3e82814a68665eec246ff649b14c71331f955c06", "1e08e6a23401048648a9fdcfde2f89348215c2a7")
_TOKENIZERS = "4e1e0a3e611c51c0b4ed8174fc10f32a54644303"
LANGUAGES: Mapping[str, PocketLanguage] = MappingProxyType(
    {
        "en": PocketLanguage(
            "english",
            "db04f0e653473e5c7333c69686ac92b7460b0c1d",
            "a7056f505a4a8ca72d8b5fb1440071d6f1a35739",
            "00eac05ed3d16bdc3f6b5d598874019c34a89214",
        ),
        "es": PocketLanguage("spanish", *_FIRST, _TOKENIZERS, ("lola",)),
        "fr": PocketLanguage("french", *_FIRST, "8843db76457a91db32077edf8dfcd1c0e3e755fd"),
        "de": PocketLanguage("german", *_FIRST, _TOKENIZERS),
        "it": PocketLanguage("italian", *_FIRST, _TOKENIZERS, ("giovanni",)),
        "nl": PocketLanguage("dutch", *_FIRST, _TOKENIZERS, ("daan",)),
        "pt": PocketLanguage("portuguese", *_FIRST, _TOKENIZERS),
    }
)

_ENGLISH = (
    *("alba", "charles", "anna", "george", "vera", "paul", "fantine", "michael", "eponine", "marius"),
    *("mary", "javert", "jane", "stuart_bell", "eve", "peter_yearsley", "azelma", "bill_boerst", "caro_davy"),
)
"""Of the library's voices those whose recordings may be used for money (VCTK, Alba MacKenna, Common Voice, CML-TTS,
Voice-Zero, donations). Left out are Expresso's and EARS's, which forbid it, and those whose origin is not told."""
_MEN = frozenset(
    (
        *("charles", "george", "paul", "michael", "marius", "javert", "stuart_bell", "peter_yearsley", "bill_boerst"),
        *("giovanni", "daan"),
    )
)


def voices(language: str) -> tuple[str, ...]:
    """The names of a language's voices, its own first; those of English speakers keep their accent."""
    return LANGUAGES[language].natives + _ENGLISH


def offers(language: str) -> tuple[VoiceOffer, ...]:
    """What is told of a language's voices."""
    accent = None if language == "en" else "en"
    return tuple(
        VoiceOffer(name, Gender.MALE if name in _MEN else Gender.FEMALE, accent if name in _ENGLISH else None)
        for name in voices(language)
    )
