from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.contracts.audio import ANALYSIS_RATE, Span
from dataflow.scenes import MARGIN, CutScene, SceneCutter

EPS = 2 / ANALYSIS_RATE


@st.composite
def speech_of_a_source(draw: st.DrawFn) -> tuple[list[Span], float]:
    """Speech and pauses of all lengths, and the length of the source."""
    spans = []
    clock = draw(st.floats(0, 5))
    for _ in range(draw(st.integers(0, 14))):
        seconds = draw(st.floats(0.2, 40))
        spans.append(Span(clock, clock + seconds))
        clock += seconds + draw(st.floats(0.1, 6))
    return spans, clock + draw(st.floats(0, 3))


def cut(spans: list[Span], total: float, *, max_seconds: float = 60.0, step: float = 1.0) -> list[CutScene]:
    """Stream a source of which sample n has the value n modulo a prime: a clip's samples tell where they come from."""
    cutter = SceneCutter(max_seconds)
    scenes: list[CutScene] = []
    told = 0
    clock = 0.0
    while clock < total:
        first, clock = clock, min(total, clock + step)
        samples = (np.arange(round(first * ANALYSIS_RATE), round(clock * ANALYSIS_RATE)) % 251).astype(np.float32)
        ended = [span for span in spans if span.end <= clock - 0.3][told:]
        told += len(ended)
        going_on = next((span.start for span in spans[told:] if span.start < clock), None)
        settled = clock if going_on is None else going_on
        scenes += cutter.push(samples, ended, settled, going_on)
    if spans[told:]:
        scenes += cutter.push(np.zeros(0, np.float32), spans[told:], total)
    scenes += cutter.flush()
    return scenes


@settings(max_examples=60)
@given(speech_of_a_source(), st.floats(0.3, 7))
def test_all_speech_is_in_exactly_one_scene(source: tuple[list[Span], float], step: float) -> None:
    spans, total = source
    scenes = cut(spans, total, step=step)
    spoken = [span for scene in scenes for span in scene.speech]
    assert abs(sum(span.seconds for span in spoken) - sum(span.seconds for span in spans)) < 1e-3
    for before, after in pairwise(spoken):
        assert before.end <= after.start + EPS


@settings(max_examples=60)
@given(speech_of_a_source(), st.floats(0.3, 7))
def test_scenes_are_in_order_disjoint_and_not_too_long(source: tuple[list[Span], float], step: float) -> None:
    scenes = cut(*source, step=step)
    for scene in scenes:
        assert scene.speech
        assert scene.speech[-1].end - scene.speech[0].start <= 60 + EPS
        assert scene.clip.span.start <= scene.speech[0].start + EPS
        assert scene.clip.span.end >= min(scene.speech[-1].end, source[1]) - EPS
    for before, after in pairwise(scenes):
        assert before.clip.span.end <= after.clip.span.start + EPS


@settings(max_examples=40)
@given(speech_of_a_source(), st.floats(0.3, 7))
def test_a_scene_holds_the_audio_of_its_own_time(source: tuple[list[Span], float], step: float) -> None:
    for scene in cut(*source, step=step):
        first = round(scene.clip.start * ANALYSIS_RATE)
        expected = np.arange(first, first + len(scene.clip.samples)) % 251
        np.testing.assert_array_equal(scene.clip.samples, expected.astype(np.float32))


def test_a_long_silence_ends_a_scene_and_belongs_to_none() -> None:
    first, second = cut([Span(1, 35), Span(600, 610)], 620)
    assert first.clip.span.end <= 35 + MARGIN + EPS
    assert second.clip.span.start >= 600 - MARGIN - EPS


def test_a_short_scene_bridges_ordinary_pauses() -> None:
    (only,) = cut([Span(0.5, 4), Span(5, 9), Span(10.5, 14)], 15)
    assert len(only.speech) == 3


def test_the_longer_a_scene_the_shorter_the_silence_that_ends_it() -> None:
    talk = [Span(5.0 * i, 5.0 * i + 4.6) for i in range(40)]
    lengths = [scene.speech[-1].end - scene.speech[0].start for scene in cut(talk, 200)]
    assert all(30 < length < 60 for length in lengths[:-1])


def test_speech_that_never_pauses_is_cut_where_it_is_quietest() -> None:
    cutter = SceneCutter(60.0)
    rng = np.random.default_rng(0)
    scenes = []
    for second in range(90):
        level = 0.001 if second == 55 else 0.3
        noise = (rng.standard_normal(ANALYSIS_RATE) * level).astype(np.float32)
        scenes += cutter.push(noise, [], 0.0, 0.0)
    scenes += cutter.push(np.zeros(0, np.float32), [Span(0.0, 90.0)], 90.0)
    scenes += cutter.flush()
    assert len(scenes) == 2
    assert 55 <= scenes[0].clip.span.end <= 56
    assert scenes[1].clip.span.start == scenes[0].clip.span.end


def test_silence_holds_no_memory() -> None:
    cutter = SceneCutter(60.0)
    for second in range(1, 2000):
        assert not list(cutter.push(np.zeros(ANALYSIS_RATE, np.float32), [], float(second)))
        assert len(cutter._audio._samples) < 3 * ANALYSIS_RATE
    assert not list(cutter.flush())
