from hypothesis import given
from hypothesis import strategies as st

from actors.contracts.audio import Span
from dataflow.timing import (
    BORROW_AFTER,
    BORROW_BEFORE,
    FREE_RATE,
    HARD_RATE,
    MAX_LATE,
    SLOWEST_RATE,
    Line,
    place,
    rate_for,
    windows,
)

TOTAL = 600.0
EPS = 1e-6


@st.composite
def scripts(draw: st.DrawFn, *, loudmouth: float = 3.0) -> list[Line]:
    """A conversation: slots in order, some at the same time, takes up to `loudmouth` times as long as their slots."""
    lines = []
    clock = 0.0
    for _ in range(draw(st.integers(1, 25))):
        clock += draw(st.floats(-0.5, 4))
        start = min(max(clock, lines[-1].slot.start if lines else 0.0), TOTAL - 20)
        seconds = draw(st.floats(0.2, 6))
        natural = seconds * draw(st.floats(0.3, loudmouth))
        lines.append(Line(draw(st.sampled_from("AB")), Span(start, start + seconds), natural))
        clock = start + seconds
    return lines


@given(scripts())
def test_never_over_another_speaker_unless_the_source_was_or_the_delay_is_at_its_limit(lines: list[Line]) -> None:
    placements = place(lines, TOTAL)
    for i, (line, placed) in enumerate(zip(lines, placements, strict=True)):
        for other, before in zip(lines[:i], placements[:i], strict=True):
            together_in_source = other.slot.overlap(line.slot) > 0
            at_limit = placed.start >= line.slot.start + MAX_LATE - EPS
            if not together_in_source and not at_limit:
                assert before.end <= placed.start + EPS


@given(scripts())
def test_one_voice_never_speaks_two_lines_at_once_unless_the_delay_is_at_its_limit(lines: list[Line]) -> None:
    placements = place(lines, TOTAL)
    for i, (line, placed) in enumerate(zip(lines, placements, strict=True)):
        for other, before in zip(lines[:i], placements[:i], strict=True):
            if other.speaker == line.speaker and placed.start < line.slot.start + MAX_LATE - EPS:
                assert before.end <= placed.start + EPS


@given(scripts())
def test_speech_is_never_cut_and_never_faster_than_the_hard_limit(lines: list[Line]) -> None:
    for line, placed in zip(lines, place(lines, TOTAL), strict=True):
        assert SLOWEST_RATE - EPS <= placed.rate <= HARD_RATE + EPS
        assert abs(placed.seconds * placed.rate - line.natural_seconds) < EPS


@given(scripts())
def test_drift_is_bounded_and_ends_with_the_next_silence(lines: list[Line]) -> None:
    for line, placed in zip(lines, place(lines, TOTAL), strict=True):
        assert line.slot.start - BORROW_BEFORE - EPS <= placed.start <= line.slot.start + MAX_LATE + EPS


@given(scripts(loudmouth=FREE_RATE))
def test_takes_that_fit_start_on_time_and_stay_in_their_slots(lines: list[Line]) -> None:
    together = any(a.slot.overlap(b.slot) > 0 for i, a in enumerate(lines) for b in lines[:i])
    for line, placed in zip(lines, place(lines, TOTAL), strict=True):
        if not together:
            assert placed.start == line.slot.start
            assert placed.end <= line.slot.end + EPS
            assert not placed.overflow


@given(scripts())
def test_overflow_is_said_exactly_where_a_take_outruns_its_window(lines: list[Line]) -> None:
    for line, window, placed in zip(lines, windows(lines, TOTAL), place(lines, TOTAL), strict=True):
        if placed.end > max(window.end, placed.start) + EPS:
            assert placed.overflow
        if placed.overflow:
            assert placed.rate == HARD_RATE
        assert window.start <= line.slot.start
        assert window.end >= line.slot.end


def test_silence_is_borrowed_before_the_voice_gets_hasty() -> None:
    crowded = place([Line("A", Span(0, 2), 2.8), Line("B", Span(2.05, 4), 1.9)], TOTAL)
    roomy = place([Line("A", Span(0, 2), 2.8), Line("B", Span(4, 6), 1.9)], TOTAL)
    assert roomy[0].rate == FREE_RATE
    assert crowded[0].rate == HARD_RATE
    assert roomy[0].end <= 2 + BORROW_AFTER


def test_an_overflow_delays_the_next_line_and_the_next_silence_wins_it_back() -> None:
    lines = [Line("A", Span(0, 2), 4.0), Line("B", Span(2.1, 4), 1.9), Line("A", Span(8, 9), 1.0)]
    first, second, third = place(lines, TOTAL)
    assert first.overflow
    assert second.start == first.end
    assert third.start == 8


def test_the_last_line_ends_with_the_source_instead_of_being_cut() -> None:
    (placed,) = place([Line("A", Span(8, 9.8), 4.0)], 10.0)
    assert placed.end <= 10.0
    assert placed.overflow
    assert placed.rate <= HARD_RATE
    (hopeless,) = place([Line("A", Span(0, 9.8), 20.0)], 10.0)
    assert hopeless.end <= 10.0 + EPS
    assert hopeless.rate > HARD_RATE


def test_people_who_talk_at_once_in_the_source_may_do_so_in_the_dub() -> None:
    together = place([Line("A", Span(0, 4), 4.0), Line("B", Span(1, 3), 2.0)], TOTAL)
    assert [p.start for p in together] == [0, 1]


@given(st.floats(0.1, 30), st.floats(0.1, 10), st.floats(0, 2))
def test_a_longer_take_is_never_spoken_slower(natural: float, slot: float, silence: float) -> None:
    window = Span(0, slot + silence)
    assert rate_for(natural, Span(0, slot), window) <= rate_for(natural * 1.01, Span(0, slot), window) + EPS
