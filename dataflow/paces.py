"""How fast voices speak, in characters a second at their natural rate: what is expected of one, and what takes tell.

A voice is taken to speak like the others of its engine, and these as people read aloud, until enough of it was heard.
What a job expects is written down when its voices are cast: its translations are made for it, however often the job is
repeated and whatever is learned meanwhile.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import langcodes

from actors.contracts.engine import EngineInfo
from cluster import layout
from cluster.blobs.contract import BlobStore
from cluster.keys import digest
from dataflow import artefacts
from dataflow.context import JobView
from dataflow.records import Casting, Heard, PaceHistory, Paces, Take, Timeline, from_json, to_json

READ_ALOUD: Mapping[str, tuple[int, int]] = {
    "ar": (612, 138),
    "de": (920, 179),
    "en": (987, 228),
    "es": (1025, 218),
    "fi": (1078, 161),
    "fr": (998, 195),
    "he": (833, 187),
    "it": (950, 188),
    "nl": (978, 202),
    "pl": (916, 166),
    "pt": (913, 181),
    "ru": (986, 184),
    "sl": (885, 180),
    "sv": (917, 199),
    "tr": (1054, 166),
}
"""Letters, and words, that adults read aloud in a minute, texts being equal (Trauzettel-Klosinski and Dietz, IReST,
Investigative Ophthalmology & Visual Science 53 (2012), 5452-5461). They read to the clock: only the ratios are used."""
LETTERS_PER_SECOND = 15.0
"""Of English, and of languages that were not measured: about 175 words a minute, at which people read to others."""
CHARACTERS_PER_SECOND = {"Hans": 5.0, "Hant": 5.0, "Jpan": 8.0, "Kore": 7.0}
"""Of writing systems whose characters hold more than a letter."""

TAKE_SECONDS = 15.0
"""No take counts for more, and none as more than twice as quick or slow as usual: one that went wrong tells little."""
ENGINE_SECONDS, VOICE_SECONDS = 60.0, 20.0
"""What is expected weighs as much as so many seconds that were heard, of an engine and of a voice."""
STEP = 0.5
"""Rates are told in such steps."""
CLONED = "cloned"
"""All cloned voices together: nothing of one person's outlives the source, or the series, that it was heard in."""
SOURCES_KEPT = 64
"""Of an engine and a language; a source that is dubbed again replaces what it told before."""


def usual_rate(language: str) -> float:
    """Characters a second that can be expected of any voice of a language."""
    tag = langcodes.Language.get(language)
    script = tag.maximize().script or ""
    if script in CHARACTERS_PER_SECOND:
        return CHARACTERS_PER_SECOND[script]
    measured, english = READ_ALOUD.get(tag.language or "", READ_ALOUD["en"]), READ_ALOUD["en"]
    return LETTERS_PER_SECOND * sum(measured) / sum(english)


def heard(takes: Iterable[Take], usual: float) -> Heard:
    """What takes tell, where `usual` is the rate that can be expected of any voice."""
    characters = seconds = 0.0
    for take in takes:
        if take.natural_seconds > 0 and take.text:
            counted = min(take.natural_seconds, TAKE_SECONDS)
            rate = min(max(len(take.text) / take.natural_seconds, usual / 2), usual * 2)
            characters, seconds = characters + rate * counted, seconds + counted
    return Heard(characters, seconds)


def blend(expected: float, told: Heard, weight: float) -> float:
    """The rate that follows from what was expected, which weighs as much as `weight` seconds, and what was heard."""
    return (expected * weight + told.characters) / (weight + told.seconds)


def rates(history: PaceHistory, voices: Iterable[str], language: str) -> dict[str, float]:
    """Characters a second that can be expected of voices, by voice."""
    told = [by_voice for _, by_voice in history.sources]
    engine = blend(usual_rate(language), _sum(one for by_voice in told for one in by_voice.values()), ENGINE_SECONDS)
    return {
        voice: max(
            STEP,
            STEP * round(blend(engine, _sum(one[voice] for one in told if voice in one), VOICE_SECONDS) / STEP),
        )
        for voice in voices
    }


def _sum(told: Iterable[Heard]) -> Heard:
    total = Heard()
    for one in told:
        total = Heard(total.characters + one.characters, total.seconds + one.seconds)
    return total


@dataclass(frozen=True, slots=True)
class PaceBook:
    """Where rates are written down: those of a job beside its casting, those that were learned beside no source.

    What was learned holds names of an engine's own voices and numbers. Of two flows that write at once one may go
    under: that costs what one source told, until it is dubbed again.
    """

    blobs: BlobStore

    def pin(self, view: JobView, script_key: str, language: str, casting: Casting, engine: EngineInfo) -> None:
        """Write down what is expected of the voices of a casting, unless it is there already."""
        key = artefacts.paces(view, script_key, language, casting)
        if not self.blobs.exists(key):
            expected = rates(self._history(view, language, engine), set(casting.voices.values()), language)
            self.blobs.put_bytes(key, to_json(Paces({who: expected[voice] for who, voice in casting.voices.items()})))

    def pinned(self, view: JobView, script_key: str, language: str, casting: Casting) -> dict[str, float]:
        """What is expected of the voices of a casting, by speaker; nothing where it was not written down."""
        key = artefacts.paces(view, script_key, language, casting)
        return from_json(Paces, self.blobs.get_bytes(key)).by_speaker if self.blobs.exists(key) else {}

    def learn(self, view: JobView, language: str, casting: Casting, engine: EngineInfo, timeline: Timeline) -> None:
        """Keep what the takes of a source tell of their voices; cloned ones tell of the engine only."""
        by_voice: dict[str, list[Take]] = defaultdict(list)
        for placed in timeline.takes:
            voice = placed.take.voice
            by_voice[CLONED if voice in casting.references else voice].append(placed.take)
        if not by_voice:
            return
        told = {voice: heard(takes, usual_rate(language)) for voice, takes in sorted(by_voice.items())}
        source = digest(view.job.request.source_uri, view.job.request.source_version)
        others = [one for one in self._history(view, language, engine).sources if one[0] != source]
        kept = (*others, (source, told))[-SOURCES_KEPT:]
        self.blobs.put_bytes(_learned(view, language, engine), to_json(PaceHistory(kept)))

    def _history(self, view: JobView, language: str, engine: EngineInfo) -> PaceHistory:
        key = _learned(view, language, engine)
        with suppress(ValueError):  # what cannot be read is learned again
            return from_json(PaceHistory, self.blobs.get_bytes(key)) if self.blobs.exists(key) else PaceHistory()
        return PaceHistory()


def _learned(view: JobView, language: str, engine: EngineInfo) -> str:
    return f"{layout.paces(view.tenant)}/{digest(engine.identity, language)}.json"
