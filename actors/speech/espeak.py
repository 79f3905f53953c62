"""eSpeak NG: formant synthesis for more than a hundred languages; small, quick and plainly synthetic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version

import numpy as np
from langcodes import standardize_tag, tag_is_valid

from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.speech import Speech, SpeechRequest, VoiceOffer
from actors.contracts.voices import Gender
from actors.languages import lookup, primary
from actors.speech import espeak_library
from actors.speech.edges import trimmed
from actors.speech.espeak_library import EspeakError

_FEWEST_WORDS_PER_MINUTE, _NATURAL_WORDS_PER_MINUTE, _MOST_WORDS_PER_MINUTE = 80, 175, 450
_SLOWEST, _FASTEST = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class _Style:
    """One of the library's voice variants at a pitch of its own (50 is the variant's, 50 more double it)."""

    variant: str
    gender: Gender
    pitch: int = 50


_STYLES = {
    "f2": _Style("f2", Gender.FEMALE),
    "m6": _Style("m6", Gender.MALE),
    "f1": _Style("f1", Gender.FEMALE, 40),
    "henrique": _Style("Henrique", Gender.MALE, 56),
    "f5": _Style("f5", Gender.FEMALE, 62),
    "edward": _Style("edward", Gender.MALE, 44),
    "steph": _Style("steph", Gender.FEMALE, 55),
    "m1": _Style("m1", Gender.MALE, 36),
    "f3": _Style("f3", Gender.FEMALE, 52),
    "m5": _Style("m5", Gender.MALE, 62),
    "f4": _Style("f4", Gender.FEMALE, 42),
    "grandpa": _Style("grandpa", Gender.MALE, 66),
}
"""The library has a hundred variants, most of them jokes. These are the ones that a speech recogniser understands well
and that lie far apart in spectrum and pitch; within a gender the clearest first."""

_RENAMED = {"ca-va": "ca-valencia"}
"""Where the library's tag means something else by BCP-47 (`ca-VA` would be the Catalan of the Vatican)."""

_LEFT_OUT = frozenset({"ca-ba", "cmn", "ja", "ru-cl"})
"""Tags that mean something else by BCP-47, doubles, and Japanese: the library spells Kanji out one by one."""


_NEAREST = {"gl": "pt"}
"""Languages that the library has no rules for, and the one whose spelling and sounds come nearest to theirs."""


class Espeak:
    """Speaks through the library that ships in the package espeakng-loader, inside this process."""

    def __init__(self, options: EngineOptions) -> None:
        del options  # There is one model, and it runs on one thread.

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        return EngineInfo(
            name="espeak",
            capability=Capability.SPEECH,
            version="1",
            model=f"espeakng-loader-{version('espeakng-loader')}",
            licence="GPL-3.0-or-later",
        )

    @property
    def clones(self) -> bool:
        """It cannot."""
        return False

    @property
    def rates(self) -> tuple[float, float]:
        """The slowest and the fastest rate."""
        return _SLOWEST, _FASTEST

    def check(self) -> None:
        """Tell whether the library and its data are there.

        Raises:
            EngineError: `model_missing` or `model_load_failed`.
        """
        try:
            espeak_library.library_path()
        except ImportError as error:
            raise EngineError(
                f"the package espeakng-loader is not installed ({error}); run: pip install espeakng-loader",
                code="model_missing",
            ) from error
        self.languages()  # Opens the library once.

    def load(self) -> None:
        """Nothing stays loaded: every utterance gets a fresh copy of the library.

        Raises:
            EngineError: `model_missing` or `model_load_failed`.
        """
        self.check()

    def languages(self) -> frozenset[str]:
        """Languages that the library speaks, BCP-47; some of them with a neighbour's accent."""
        return frozenset(self._files) | _NEAREST.keys()

    def voices(self, language: str) -> tuple[VoiceOffer, ...]:
        """The same voices for every language."""
        spoken = self._spoken(language)
        if spoken is None:
            return ()
        accent = None if lookup(language, [spoken]) else spoken
        return tuple(VoiceOffer(name, style.gender, accent) for name, style in _STYLES.items())

    def run(self, batch: Sequence[SpeechRequest]) -> Sequence[Speech | EngineError]:
        """Say utterances one after the other."""
        return [self._serve(request) for request in batch]

    def close(self) -> None:
        """Nothing stays loaded."""

    @cached_property
    def _files(self) -> Mapping[str, str]:
        """Voice file of each language."""
        try:
            listed = espeak_library.list_voices()
        except EspeakError as error:
            raise EngineError(f"{error}; reinstall espeakng-loader", code="model_load_failed") from error
        ranked = sorted((rank, tag, voice.file) for voice in listed for rank, tag in voice.languages)
        return {_standard(tag): file for _, tag, file in reversed(ranked) if _is_a_language(tag)}

    def _serve(self, request: SpeechRequest) -> Speech | EngineError:
        try:
            return self._say(request)
        except EngineError as error:
            return error
        except EspeakError as error:
            return EngineError(f"{error}, for a text in {request.language} with the voice {request.voice}")

    def _say(self, request: SpeechRequest) -> Speech:
        style = _STYLES.get(request.voice)
        if style is None:
            raise EngineError(
                f"eSpeak NG has no voice '{request.voice}'; choose one of: {', '.join(_STYLES)}",
                code="invalid_request",
            )
        voice = f"{self._file(request.language)}+{style.variant}"
        return _at_rate(_plain(request.text), voice, style.pitch, min(_FASTEST, max(_SLOWEST, request.rate)))

    def _file(self, language: str) -> str:
        spoken = self._spoken(language)
        if spoken is None:
            raise EngineError(
                f"eSpeak NG does not speak {language}; choose another speech engine or language",
                code="unsupported_language",
            )
        return self._files[spoken]

    def _spoken(self, language: str) -> str | None:
        return lookup(language, self._files) or _NEAREST.get(primary(language))


def _at_rate(text: str, voice: str, pitch: int, rate: float) -> Speech:
    """Say something so that it lasts `1 / rate` of what it lasts naturally.

    The library's own rate is off by up to an eighth, depending on the text, so it is corrected once by what it gave.
    """
    natural = _take(text, voice, pitch, _NATURAL_WORDS_PER_MINUTE)
    wanted = natural.seconds / rate
    if rate == 1.0 or not wanted:
        return natural
    first = _take(text, voice, pitch, rate * _NATURAL_WORDS_PER_MINUTE)
    return _take(text, voice, pitch, rate * _NATURAL_WORDS_PER_MINUTE * first.seconds / wanted)


def _take(text: str, voice: str, pitch: int, words_per_minute: float) -> Speech:
    allowed = min(_MOST_WORDS_PER_MINUTE, max(_FEWEST_WORDS_PER_MINUTE, round(words_per_minute)))
    samples, rate = espeak_library.speak(text, voice, words_per_minute=allowed, pitch=pitch)
    return Speech(trimmed(samples.astype(np.float32) / np.float32(32768), rate), rate)


def _is_a_language(tag: str) -> bool:
    """True for a language with or without a region, as people ask for it."""
    _, _, region = tag.partition("-")
    return tag in _RENAMED or (tag not in _LEFT_OUT and tag_is_valid(tag) and len(region) <= len("419"))


def _standard(tag: str) -> str:
    return _RENAMED.get(tag) or standardize_tag(tag)


def _plain(text: str) -> str:
    """The text without control characters, by which the library takes embedded commands."""
    return "".join(character if character.isprintable() else " " for character in text)
