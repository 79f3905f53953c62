"""From what each scene told to the script of the whole source: speakers with names, words grouped into utterances."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from actors.contracts.audio import Span
from actors.contracts.diarization import Turn
from actors.contracts.transcription import Word
from actors.contracts.voices import Gender, VoiceTraits
from actors.languages import primary
from dataflow.loudness import combine, lufs
from dataflow.records import SceneVoice, SceneVoices, SceneWords, Script, Speaker, Utterance

PAUSE_SECONDS = 0.65
"""A pause of one speaker that ends an utterance."""
SENTENCE_PAUSE_SECONDS = 0.2
"""After a sentence a shorter one does."""
MAX_UTTERANCE_SECONDS = 15.0
"""Longer utterances are parted at their longest pause: nobody re-dubs a paragraph to mend a word."""
NEAR_SECONDS = 1.0
"""A word outside all turns belongs to a turn at most so far away."""
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "\uff01", "\uff1f", "؟", "।")
"""Latin, Chinese and Japanese (also full-width), Arabic and Devanagari."""

UNSPACED = frozenset({"zh", "yue", "ja", "th", "lo", "km", "my", "bo", "wuu", "nan"})
"""Languages that are written without spaces between words."""
SURELY_ANOTHER = 0.8
"""Words of a scene whose own language is so probable are in it, whatever most scenes speak."""

SpeakerLabels = Mapping[tuple[int, int], int]
"""(scene index, the scene's own speaker number) -> speaker of the source."""


@dataclass(frozen=True, slots=True)
class AnalysedScene:
    """What the pools told about a scene; None where they could not."""

    index: int
    speech: tuple[Span, ...]
    voices: SceneVoices | None
    words: SceneWords | None


@dataclass(frozen=True, slots=True)
class _Said:
    word: Word
    speaker: int
    language: str | None


UNKNOWN_SPEAKER = -1
UNHEARD = VoiceTraits(Gender.UNKNOWN, 0.0, None, 0.0, 0.0)
"""Of somebody whose scenes could not be diarized."""


def build_script(
    scenes: Sequence[AnalysedScene],
    labels: SpeakerLabels,
    combine_traits: Callable[[tuple[VoiceTraits, ...]], VoiceTraits],
    *,
    seconds: float,
    language: str | None = None,
    warnings: tuple[tuple[str, str], ...] = (),
) -> Script:
    """Join the scenes of a source.

    Args:
        scenes: Sorted by index.
        labels: Who is who across scenes.
        combine_traits: Joins what several scenes told about how one speaker sounds.
        seconds: Length of the source.
        language: The source's language where the user says it; else most words decide.
        warnings: What went wrong so far.
    """
    said = [word for scene in scenes for word in _who_said_what(scene, labels)]
    names = _names(said)
    spoken, probability = (language, 1.0) if language else _language(scenes)
    utterances = [
        _utterance(i, names[group[0].speaker], group, spoken)
        for i, group in enumerate(_group_into_utterances(said), start=1)
    ]
    speakers = _speakers(scenes, labels, names, utterances, combine_traits)
    if not utterances:
        warnings += (("no_speech", "nobody speaks in this source; its original sound was kept"),)
    dropped = [span for scene in scenes if scene.words for span in scene.words.dropped]
    if dropped:
        message = f"the text of {len(dropped)} stretches of speech made no sense; their original sound was kept"
        warnings += (("text_dropped", message),)
    level = combine(voice.level for scene in scenes if scene.voices for voice in scene.voices.voices)
    return Script(
        language=spoken,
        language_probability=probability,
        seconds=seconds,
        speakers=speakers,
        utterances=tuple(utterances),
        lufs=lufs(level.power) if level.blocks else None,
        lost=tuple(sorted([span for scene in scenes if scene.words is None for span in scene.speech] + dropped)),
        warnings=warnings,
    )


def _language(scenes: Sequence[AnalysedScene]) -> tuple[str, float]:
    """The language that most words are in, and its mean probability over the scenes that say so."""
    votes: Counter[str] = Counter()
    probabilities = defaultdict(list)
    for scene in scenes:
        if scene.words and scene.words.language:
            votes[scene.words.language] += max(1, len(scene.words.words))
            probabilities[scene.words.language].append(scene.words.language_probability)
    if not votes:
        return "", 0.0
    language = max(sorted(votes), key=lambda tag: votes[tag])
    return language, sum(probabilities[language]) / len(probabilities[language])


def _who_said_what(scene: AnalysedScene, labels: SpeakerLabels) -> Iterator[_Said]:
    turns = scene.voices.turns if scene.voices else ()
    speaker = UNKNOWN_SPEAKER
    own = scene.words.language if scene.words and scene.words.language_probability >= SURELY_ANOTHER else None
    for word in scene.words.words if scene.words else ():
        turn = _turn_of(Span(word.start, max(word.start, word.end)), turns)
        speaker = speaker if turn is None else labels.get((scene.index, turn.speaker), UNKNOWN_SPEAKER)
        yield _Said(word, speaker, word.language or own)


def _turn_of(word: Span, turns: Sequence[Turn]) -> Turn | None:
    """The turn that covers most of a word, else the nearest one that is near."""
    if not turns:
        return None
    best = max(turns, key=lambda turn: (word.overlap(Span(turn.start, turn.end)), -_gap(word, turn)))
    return best if _gap(word, best) <= NEAR_SECONDS else None


def _gap(word: Span, turn: Turn) -> float:
    return max(0.0, turn.start - word.end, word.start - turn.end)


def _names(said: Sequence[_Said]) -> dict[int, str]:
    """`S1` speaks most; equal amounts are told apart by who speaks first."""
    seconds: dict[int, float] = defaultdict(float)
    for one in said:
        seconds[one.speaker] += one.word.end - one.word.start
    order = list(seconds)
    return {
        speaker: f"S{rank}"
        for rank, speaker in enumerate(sorted(order, key=lambda s: (-seconds[s], order.index(s))), start=1)
    }


def _group_into_utterances(said: Sequence[_Said]) -> Iterator[list[_Said]]:
    if not said:
        return
    group = [said[0]]
    for before, after in pairwise(said):
        if _utterance_ends(before, after):
            yield from _part(group)
            group = []
        group.append(after)
    yield from _part(group)


def _utterance_ends(before: _Said, after: _Said) -> bool:
    pause = after.word.start - before.word.end
    sentence_ended = before.word.text.endswith(_SENTENCE_ENDS)
    return (
        after.speaker != before.speaker
        or after.language != before.language
        or pause >= PAUSE_SECONDS
        or (sentence_ended and pause >= SENTENCE_PAUSE_SECONDS)
    )


def _part(group: list[_Said]) -> Iterator[list[_Said]]:
    if group[-1].word.end - group[0].word.start <= MAX_UTTERANCE_SECONDS or len(group) == 1:
        yield group
        return
    middle = len(group) / 2
    pauses = [
        (after.word.start - before.word.end + 0.5 * before.word.text.endswith((*_SENTENCE_ENDS, ",", ";")), i)
        for i, (before, after) in enumerate(pairwise(group), start=1)
    ]
    _, at = max(pauses, key=lambda pause: (pause[0], -abs(pause[1] - middle)))
    yield from _part(group[:at])
    yield from _part(group[at:])


def _utterance(number: int, speaker: str, group: Sequence[_Said], usual: str) -> Utterance:
    words = [one.word for one in group]
    own = group[0].language
    language = own if own and primary(own) != primary(usual) else None
    return Utterance(
        id=f"u{number:04d}",
        speaker=speaker,
        start=words[0].start,
        end=max(words[-1].end, words[0].start),
        text=_joined([word.text for word in words], language or usual),
        probability=sum(word.probability for word in words) / len(words),
        language=language,
    )


def _joined(words: Sequence[str], language: str) -> str:
    """The words as they are written one after the other: with spaces, except where both sides do without."""
    if primary(language) not in UNSPACED:
        return " ".join(words)
    text = ""
    for word in words:
        foreign = text and text[-1].isascii() and text[-1].isalnum() and word[:1].isascii() and word[:1].isalnum()
        text += f" {word}" if foreign else word
    return text


def _speakers(
    scenes: Sequence[AnalysedScene],
    labels: SpeakerLabels,
    names: Mapping[int, str],
    utterances: Sequence[Utterance],
    combine_traits: Callable[[tuple[VoiceTraits, ...]], VoiceTraits],
) -> tuple[Speaker, ...]:
    heard = defaultdict(list)
    for scene in scenes:
        for voice in scene.voices.voices if scene.voices else ():
            place = (scene.index, voice.speaker.speaker)
            heard[labels.get(place, UNKNOWN_SPEAKER)].append((place, voice))
    seconds: dict[str, float] = defaultdict(float)
    for utterance in utterances:
        seconds[utterance.speaker] += utterance.span.seconds
    return tuple(_speaker(name, heard.get(label, []), seconds[name], combine_traits) for label, name in names.items())


def _speaker(
    name: str,
    heard: Sequence[tuple[tuple[int, int], SceneVoice]],
    seconds: float,
    combine_traits: Callable[[tuple[VoiceTraits, ...]], VoiceTraits],
) -> Speaker:
    if not heard:
        return Speaker(name, UNHEARD, seconds, None)
    places, voices = zip(*heard, strict=True)
    level = combine(voice.level for voice in voices)
    traits = combine_traits(tuple(voice.traits for voice in voices))
    return Speaker(name, traits, seconds, lufs(level.power) if level.blocks else None, places)
