from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.contracts.audio import Span
from actors.contracts.diarization import SceneSpeaker, Turn
from actors.contracts.transcription import Word
from actors.contracts.voices import Gender, VoiceTraits
from dataflow.records import Level, SceneVoice, SceneVoices, SceneWords
from dataflow.script import MAX_UTTERANCE_SECONDS, AnalysedScene, build_script

MALE = VoiceTraits(Gender.MALE, 0.9, 110.0, 2.0, 5.0)


def said(text: str, start: float, *, each: float = 0.3) -> list[Word]:
    return [Word(word, start + i * each, start + i * each + each * 0.9, 0.8) for i, word in enumerate(text.split())]


def scene(index: int, words: list[Word], turns: list[Turn], language: str = "en") -> AnalysedScene:
    speakers = sorted({turn.speaker for turn in turns})
    voices = tuple(SceneVoice(SceneSpeaker(s, 3.0, (float(s),)), MALE, Level(0.01, 10)) for s in speakers)
    return AnalysedScene(index, (), SceneVoices(tuple(turns), voices), SceneWords(tuple(words), language, 0.9))


def first_traits(scenes: tuple[VoiceTraits, ...]) -> VoiceTraits:
    return scenes[0]


def test_words_become_utterances_of_the_people_who_said_them() -> None:
    one = scene(
        0,
        said("Good morning everybody.", 1.0) + said("And to you.", 2.2),
        [Turn(0.9, 2.05, 0), Turn(2.1, 3.2, 1)],
    )
    two = scene(1, said("How are you all?", 60.0), [Turn(60.0, 61.5, 0)])
    script = build_script([one, two], {(0, 0): 7, (0, 1): 3, (1, 0): 7}, first_traits, seconds=70)
    assert [(u.id, u.speaker, u.text) for u in script.utterances] == [
        ("u0001", "S1", "Good morning everybody."),
        ("u0002", "S2", "And to you."),
        ("u0003", "S1", "How are you all?"),
    ]
    assert script.utterances[0].start == 1.0
    assert [s.id for s in script.speakers] == ["S1", "S2"]
    assert script.speakers[0].traits == MALE
    assert script.language == "en"


def test_a_pause_ends_an_utterance_and_a_breath_does_not() -> None:
    words = said("ask not", 0.0) + said("what your country", 0.9) + said("can do", 3.0)
    script = build_script([scene(0, words, [Turn(0, 4, 0)])], {(0, 0): 0}, first_traits, seconds=5)
    assert [u.text for u in script.utterances] == ["ask not what your country", "can do"]


def test_words_outside_all_turns_go_to_the_nearest_speaker() -> None:
    words = said("hello there", 1.0) + said("stray", 20.0)
    script = build_script([scene(0, words, [Turn(1.7, 3, 0)])], {(0, 0): 0}, first_traits, seconds=30)
    assert {u.speaker for u in script.utterances} == {"S1"}


def test_a_scene_that_failed_costs_its_own_words_only() -> None:
    good = scene(1, said("still here", 60.0), [Turn(60, 61, 0)])
    deaf = AnalysedScene(2, (Span(90, 91),), SceneVoices((Turn(90, 91, 0),), ()), None)
    blind = AnalysedScene(3, (), None, SceneWords(tuple(said("who am i", 120.0)), "en", 0.5))
    script = build_script([AnalysedScene(0, (), None, None), good, deaf, blind], {(1, 0): 0}, first_traits, seconds=130)
    assert [u.text for u in script.utterances] == ["still here", "who am i"]
    assert script.utterances[1].speaker != script.utterances[0].speaker
    assert script.lost == (Span(90, 91),)


def test_no_speech_gives_an_empty_script() -> None:
    script = build_script(
        [AnalysedScene(0, (), SceneVoices((), ()), SceneWords((), None, 0.0))], {}, first_traits, seconds=9
    )
    assert script.utterances == ()
    assert script.speakers == ()
    assert script.language == ""
    assert script.lufs is None


def test_the_language_is_what_most_words_are_in() -> None:
    scenes = [
        scene(0, said("uno dos", 0.0), [Turn(0, 1, 0)], "es"),
        scene(1, said("one two three four five", 60.0), [Turn(60, 62, 0)], "en"),
    ]
    assert build_script(scenes, {(0, 0): 0, (1, 0): 0}, first_traits, seconds=70).language == "en"


def test_what_is_surely_in_another_language_is_an_utterance_of_its_own_that_says_so() -> None:
    words = said("look at this", 0.0)
    aside = [Word("mira", 0.95, 1.2, 0.9, language="es"), Word("eso", 1.25, 1.4, 0.9, language="es")]
    spanish = scene(1, said("no lo sé", 60.0), [Turn(60, 61, 0)], "es")
    unsure = AnalysedScene(2, (), None, SceneWords(tuple(said("hm", 90.0)), "fr", 0.4))
    more = scene(3, said("what do you want me to say now", 120.0), [Turn(120, 123, 0)])
    scenes = [scene(0, [*words, *aside], [Turn(0, 2, 0)]), spanish, unsure, more]
    script = build_script(scenes, {(0, 0): 0, (1, 0): 0, (3, 0): 0}, first_traits, seconds=200)
    assert script.language == "en"
    found = [(utterance.text, utterance.language) for utterance in script.utterances]
    assert found[:3] == [("look at this", None), ("mira eso", "es"), ("no lo sé", "es")]
    assert [language for _, language in found[3:]] == [None, None]


def test_speech_whose_text_was_dropped_keeps_its_sound_and_is_told() -> None:
    words = SceneWords(tuple(said("hello", 0.0)), "en", 0.9, dropped=(Span(5, 7), Span(9, 10)))
    script = build_script([AnalysedScene(0, (), None, words)], {}, first_traits, seconds=20)
    assert script.lost == (Span(5, 7), Span(9, 10))
    assert [code for code, _ in script.warnings] == ["text_dropped"]


@pytest.mark.parametrize(
    ("language", "words", "text"),
    [
        ("ja", ["今日", "は", "いい", "天気", "です。"], "今日はいい天気です。"),
        ("zh", ["我", "用", "Google", "Maps", "找", "路"], "我用Google Maps找路"),
        ("ko", ["오늘", "날씨"], "오늘 날씨"),
    ],
)
def test_words_are_joined_as_their_language_is_written(language: str, words: list[str], text: str) -> None:
    heard = [Word(word, 0.3 * i, 0.3 * i + 0.25, 0.9) for i, word in enumerate(words)]
    script = build_script([scene(0, heard, [Turn(0, 3, 0)], language)], {(0, 0): 0}, first_traits, seconds=5)
    assert [utterance.text for utterance in script.utterances] == [text]


@given(st.lists(st.floats(0.0, 0.6), min_size=1, max_size=120), st.floats(0.1, 1.0))
def test_long_speech_is_parted_and_no_word_is_lost(gaps: list[float], each: float) -> None:
    words, clock = [], 0.0
    for i, gap in enumerate(gaps):
        clock += gap
        words.append(Word(f"w{i}", clock, clock + each, 0.5))
        clock += each
    script = build_script([scene(0, words, [Turn(0, clock, 0)])], {(0, 0): 0}, first_traits, seconds=clock)
    assert " ".join(u.text for u in script.utterances).split() == [word.text for word in words]
    for utterance in script.utterances:
        assert utterance.end - utterance.start <= MAX_UTTERANCE_SECONDS + each
    for before, after in pairwise(script.utterances):
        assert before.end <= after.start + 1e-9


def test_confidence_is_the_mean_of_the_words() -> None:
    words = [Word("a", 0, 0.2, 0.2), Word("b", 0.2, 0.4, 0.6)]
    script = build_script([scene(0, words, [Turn(0, 1, 0)])], {(0, 0): 0}, first_traits, seconds=1)
    assert script.utterances[0].probability == pytest.approx(0.4)
