"""What the stages hand on: frozen, typed, JSON in the blob store. Times are seconds on the source's own clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import TypeAdapter

from actors.contracts.audio import Span
from actors.contracts.diarization import SceneSpeaker, Turn
from actors.contracts.transcription import Word
from actors.contracts.voices import Gender, VoiceTraits

RecordT = TypeVar("RecordT")


_adapters: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def to_json(record: Any) -> bytes:
    """A record as JSON."""
    return _adapter(type(record)).dump_json(record)


def to_plain(record: Any) -> dict[str, Any]:
    """A record as plain JSON values."""
    plain: dict[str, Any] = _adapter(type(record)).dump_python(record, mode="json")
    return plain


def from_plain(kind: type[RecordT], plain: Any) -> RecordT:
    """The record of `kind` that `to_plain` took apart."""
    record: RecordT = _adapter(kind).validate_python(plain)
    return record


def from_json(kind: type[RecordT], data: bytes) -> RecordT:
    """The record of `kind` that `to_json` wrote."""
    record: RecordT = _adapter(kind).validate_json(data)
    return record


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What else than source and languages decides the result of a job.

    Attributes:
        profile: The named choice of engines.
        min_speakers: At least so many people speak, where known.
        max_speakers: At most so many.
        glossary: (source term, target term) pairs.
        keep_background: Keep music and effects under the dub: as they are where an engine takes the voices away, else
            with the whole original at a low level.
        start: Dub from here on; before it the original is kept.
        end: Dub up to here; None is the end.
        clone_voices: Speak with the speakers' own voices. Whoever sets it states that the speakers agree; the job keeps
            that statement.
        series: Name of the series that the source is of: its people keep their voices in all its sources. Empty for
            a source that stands alone.
    """

    profile: str = "lite"
    min_speakers: int | None = None
    max_speakers: int | None = None
    glossary: tuple[tuple[str, str], ...] = ()
    keep_background: bool = False
    start: float = 0.0
    end: float | None = None
    clone_voices: bool = False
    series: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """A window of a source's audio that holds speech and was cut at silence.

    Attributes:
        index: Counts from 0.
        span: When it plays.
        audio_key: Blob with its audio, 16 kHz mono FLAC; empty for the one empty scene of a source without speech.
        audio_digest: Digest of the samples: what the analysis of the scene depends on.
        speech: Where somebody speaks, sorted and disjoint.
    """

    index: int
    span: Span
    audio_key: str
    audio_digest: str
    speech: tuple[Span, ...]


NOTHING_SAID = Scene(0, Span(0.0, 0.0), "", "", ())
"""A source without speech still has one scene, so that its job has something to close."""


@dataclass(frozen=True, slots=True)
class SceneList:
    """All scenes of a source, and what decoding told about it.

    Attributes:
        seconds: Decoded length of the audio, with its offset.
        warnings: (code, message) pairs.
    """

    scenes: tuple[Scene, ...]
    seconds: float
    warnings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Level:
    """Gated mean power of K-weighted speech (ITU-R BS.1770) and how many 400 ms blocks it was measured over."""

    power: float
    blocks: int


@dataclass(frozen=True, slots=True)
class SceneVoice:
    """What diarization, voice analysis and metering told about one voice of one scene."""

    speaker: SceneSpeaker
    traits: VoiceTraits
    level: Level


@dataclass(frozen=True, slots=True)
class SceneVoices:
    """Who speaks when in one scene, and how they sound."""

    turns: tuple[Turn, ...]
    voices: tuple[SceneVoice, ...]


HeardScenes = Mapping[int, tuple[Scene, SceneVoices]]
"""The scenes of a source in which voices were told apart, by index."""


@dataclass(frozen=True, slots=True)
class SceneWords:
    """What is said in one scene; `dropped` is speech whose text was taken for invented."""

    words: tuple[Word, ...]
    language: str | None
    language_probability: float
    dropped: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Speaker:
    """A person of the source, linked across its scenes.

    Attributes:
        id: `S1` speaks most, then `S2`, ...
        traits: How the person sounds.
        seconds: How long the person speaks.
        lufs: Loudness of the person's speech, None where it could not be measured.
        heard: (index of a scene, number of the speaker in it) of all that was taken for this person.
    """

    id: str
    traits: VoiceTraits
    seconds: float
    lufs: float | None
    heard: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Utterance:
    """One speaker's sentence-like stretch: the unit of translation, synthesis and editing.

    `language` is set where it is surely in another one than the script.
    """

    id: str
    speaker: str
    start: float
    end: float
    text: str
    probability: float
    language: str | None = None

    @property
    def span(self) -> Span:
        """When it is said."""
        return Span(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Script:
    """All utterances of a source, sorted by start, with speakers linked across scenes.

    Attributes:
        seconds: Length of the source.
        lufs: Loudness of all its speech, None where there is none.
        lost: Speech that could not be recognised: its original sound is kept.
        warnings: (code, message) pairs.
    """

    language: str
    language_probability: float
    seconds: float
    speakers: tuple[Speaker, ...]
    utterances: tuple[Utterance, ...]
    lufs: float | None
    lost: tuple[Span, ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What a series knows of a speaker.

    Attributes:
        library: The name of the person within the series: `V1`, ...
        name: Given by people; empty where none was.
        gender: Over the whole series.
    """

    library: str
    name: str
    gender: Gender


@dataclass(frozen=True, slots=True)
class Casting:
    """Who is spoken by which voice in one language.

    Attributes:
        voices: By speaker.
        references: Blob of the sound that a cloned voice is made from, by voice.
        known: By speaker, where it is a person of a series.
    """

    voices: dict[str, str]
    references: dict[str, str] = field(default_factory=dict)
    known: dict[str, Known] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Paces:
    """Characters a second that a translator may expect of each speaker's voice in one language."""

    by_speaker: dict[str, float]


@dataclass(frozen=True, slots=True)
class Heard:
    """How much of a voice was heard."""

    characters: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class PaceHistory:
    """What sources told of an engine's voices in one language: (digest of the source, by voice), the latest last."""

    sources: tuple[tuple[str, dict[str, Heard]], ...] = ()


@dataclass(frozen=True, slots=True)
class DubbedLine:
    """The translation of one utterance; `concise` where the natural one may be too long for its slot."""

    utterance_id: str
    text: str
    concise: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PassageLines:
    """The translations of one passage; lines that could not be translated are missing."""

    lines: tuple[DubbedLine, ...]


@dataclass(frozen=True, slots=True)
class Take:
    """Synthesised audio of one utterance.

    Attributes:
        utterance_id: Whose take it is.
        text: What is said.
        voice: By which voice.
        audio_key: Blob with the audio, mono FLAC.
        sample_rate: Hz.
        samples: How many.
        natural_seconds: How long the voice takes for the text at its natural rate.
        level: Loudness before any gain.
        peak: Highest true peak before any gain, linear.
        flags: Out of the documented list.
    """

    utterance_id: str
    text: str
    voice: str
    audio_key: str
    sample_rate: int
    samples: int
    natural_seconds: float
    level: Level
    peak: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PassageTakes:
    """The takes of one passage; utterances that could not be spoken are missing."""

    takes: tuple[Take, ...]


@dataclass(frozen=True, slots=True)
class PlacedTake:
    """A take with its place on the source's clock.

    Attributes:
        seconds: How long it plays, after rate control and stretch.
        rate: Relative to the voice's natural rate.
        gain: Linear.
    """

    take: Take
    start: float
    seconds: float
    rate: float
    gain: float


@dataclass(frozen=True, slots=True)
class SceneBackground:
    """A scene without its voices.

    Attributes:
        span: When its sound plays.
        heard: The part of it in which the original gives way to it.
        audio_key: Blob with the sound, FLAC of one or two channels.
    """

    span: Span
    heard: Span
    audio_key: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that one language's track is made of.

    Attributes:
        takes: Sorted by start.
        kept: Where the original is kept at full level, sorted and disjoint.
        bed_gain: Linear gain of the original elsewhere.
        flags: Flags of each utterance, by its id; utterances without any are missing.
        seconds: Length of the source.
        backgrounds: What is heard in the original's place where nothing is kept; sorted.
    """

    takes: tuple[PlacedTake, ...]
    kept: tuple[Span, ...]
    bed_gain: float
    flags: dict[str, tuple[str, ...]]
    seconds: float
    backgrounds: tuple[SceneBackground, ...] = ()
