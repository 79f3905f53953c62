"""Which stretches of speech stand for a voice."""

import numpy as np
import pytest

from actors.contracts.audio import ANALYSIS_RATE, Clip, Span
from actors.contracts.diarization import Turn
from dataflow.records import Scene, Script, Utterance
from dataflow.reference import ENOUGH_SECONDS, LEAST_SECONDS, best, stretches


def script(*utterances: tuple[str, float, float]) -> Script:
    said = tuple(
        Utterance(f"u{i}", speaker, start, end, "words", 0.9) for i, (speaker, start, end) in enumerate(utterances)
    )
    return Script("en", 1.0, 60.0, (), said, None)


def scene(index: int, start: float, end: float) -> Scene:
    return Scene(index, Span(start, end), "", "", ())


def tone(seconds: float, level: float, noise: float, start: float = 0.0) -> tuple[Clip, Clip]:
    """A voice of that level, and its scene: two seconds of noise before it and after it."""
    clock = np.arange(round(seconds * ANALYSIS_RATE)) / ANALYSIS_RATE
    random = np.random.default_rng(1)
    voice = (level * np.sin(2 * np.pi * 200 * clock)).astype(np.float32)
    lead = np.zeros(2 * ANALYSIS_RATE, np.float32)
    whole = np.concatenate([lead, voice, lead])
    whole = whole + noise * random.standard_normal(len(whole)).astype(np.float32)
    around = Clip(whole, ANALYSIS_RATE, start - 2)
    return around.cut(Span(start, start + seconds)), around


def test_a_voice_is_taken_from_where_nobody_else_speaks() -> None:
    found = stretches(
        script(("S1", 0.0, 10.0), ("S2", 7.0, 14.0)),
        [scene(0, 0.0, 15.0)],
        {0: [Turn(0.0, 10.0, 0), Turn(7.0, 14.0, 1)]},
    )
    assert [(round(one.span.start, 2), round(one.span.end, 2)) for one in found["S1"]] == [(0.05, 6.95)]
    assert [(round(one.span.start, 2), round(one.span.end, 2)) for one in found["S2"]] == [(10.05, 13.95)]


def test_a_short_interruption_parts_a_stretch_and_what_is_short_is_left_out() -> None:
    (found,) = stretches(
        script(("S1", 0.0, 6.0)), [scene(0, 0.0, 6.0)], {0: [Turn(0.0, 6.0, 0), Turn(4.0, 5.5, 1)]}
    ).values()
    assert [one.span.end for one in found] == [pytest.approx(3.95)]


def test_a_scene_that_was_not_diarized_gives_nothing() -> None:
    assert stretches(script(("S1", 0.0, 6.0)), [scene(0, 0.0, 6.0)], {}) == {}


def test_each_stretch_knows_its_scene_and_the_longest_comes_first() -> None:
    found = stretches(
        script(("S1", 0.0, 3.0), ("S1", 20.0, 28.0)),
        [scene(0, 0.0, 5.0), scene(1, 19.0, 30.0)],
        {0: [Turn(0.0, 3.0, 0)], 1: [Turn(20.0, 28.0, 1)]},
    )
    assert [one.scene for one in found["S1"]] == [1, 0]


def test_a_clear_stretch_is_preferred_to_a_noisy_one_of_the_same_length() -> None:
    noisy, clear = tone(13, 0.3, 0.05), tone(13, 0.3, 0.001, start=100)
    chosen = best([noisy, clear])
    assert chosen is not None
    assert np.array_equal(chosen.samples, clear[0].samples[: len(chosen.samples)])


def test_a_long_stretch_is_preferred_to_a_short_one_as_clear() -> None:
    short, long = tone(2, 0.3, 0.001), tone(13, 0.3, 0.001, start=100)
    chosen = best([short, long])
    assert chosen is not None
    assert np.array_equal(chosen.samples, long[0].samples[: len(chosen.samples)])


def test_enough_is_enough() -> None:
    chosen = best([tone(8, 0.3, 0.001, start=20.0 * i) for i in range(5)])
    assert chosen is not None
    assert chosen.seconds == pytest.approx(ENOUGH_SECONDS)


def test_too_little_is_no_voice() -> None:
    assert best([tone(LEAST_SECONDS - 0.5, 0.3, 0.001)]) is None
    assert best([]) is None
