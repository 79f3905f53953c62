from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.contracts.audio import Clip, Span
from actors.transcription.chunks import ChunkRules, chunks

RATE = 1000
RULES = ChunkRules(join=0.4, padding=0.2, longest=10.0, shortest=2.0)


def clip(seconds: float, start: float = 0.0) -> Clip:
    samples = np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)
    return Clip(samples, RATE, start)


@st.composite
def speech(draw: st.DrawFn) -> tuple[Span, ...]:
    spans, at = [], draw(st.floats(0, 2))
    for length, gap in draw(st.lists(st.tuples(st.floats(0.05, 30), st.floats(0.02, 3)), max_size=6)):
        spans.append(Span(at, at + length))
        at += length + gap
    return tuple(spans)


@given(speech())
def test_chunks_are_sorted_disjoint_inside_the_clip_and_cover_all_speech(spans: tuple[Span, ...]) -> None:
    whole = clip(max((span.end for span in spans), default=0.0) + 1.0)
    parts = chunks(whole, spans, RULES)
    assert all(whole.start <= part.start < part.end <= whole.span.end for part in parts)
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(parts))
    for span in spans:
        assert sum(span.overlap(part) for part in parts) == pytest.approx(span.seconds)


@given(speech())
def test_chunks_are_neither_too_long_nor_split_too_short(spans: tuple[Span, ...]) -> None:
    whole = clip(max((span.end for span in spans), default=0.0) + 1.0)
    for part in chunks(whole, spans, RULES):
        assert part.seconds <= RULES.longest + 1e-9
        touched = any(part.start == pytest.approx(other.end) for other in chunks(whole, spans, RULES))
        assert not touched or part.seconds >= RULES.shortest - 0.2


def test_neighbouring_spans_become_one_phrase_and_get_some_silence() -> None:
    spans = (Span(1.0, 2.0), Span(2.3, 3.0), Span(3.5, 4.0))
    assert chunks(clip(5), spans, RULES) == (Span(0.8, 3.2), Span(3.3, 4.2))


def test_close_phrases_share_the_silence_between_them() -> None:
    rules = ChunkRules(join=0.1, padding=0.2, longest=10.0, shortest=2.0)
    first, second = chunks(clip(5), (Span(1.0, 2.0), Span(2.2, 3.0)), rules)
    assert first.end == pytest.approx(second.start) == pytest.approx(2.1)


def test_long_speech_is_split_where_it_is_quietest() -> None:
    loud = clip(18, start=100.0)
    loud.samples[7_000:7_300] *= 0.01
    first, second = chunks(loud, (Span(100.0, 117.0),), RULES)
    assert 107.0 <= first.end == second.start <= 107.3


def test_no_speech_gives_no_chunk() -> None:
    assert chunks(clip(5), (), RULES) == ()


def test_rules_that_allow_no_split_are_refused() -> None:
    with pytest.raises(ValueError, match="splittable"):
        ChunkRules(longest=5, shortest=3)
