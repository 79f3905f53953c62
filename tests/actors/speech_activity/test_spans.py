from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from actors.speech_activity.spans import WINDOW_SECONDS, SpanRules, SpanTracker, speech_spans

RULES = st.builds(
    lambda onset, drop, speech, padding, silence: SpanRules(
        onset, onset - drop, speech, 2 * padding + silence, padding
    ),
    onset=st.floats(0.3, 0.9),
    drop=st.floats(0.0, 0.25),
    speech=st.floats(0, 0.5),
    padding=st.floats(0, 0.3),
    silence=st.floats(0, 0.6),
)
Levels = list[tuple[float, int]]

LEVELS = st.lists(st.tuples(st.floats(0, 1, width=32), st.integers(1, 20)), max_size=30)


def windows(levels: Levels) -> NDArray[np.float32]:
    return np.concatenate([np.zeros(0, np.float32), *(np.full(n, level, np.float32) for level, n in levels)])


@given(levels=LEVELS, rules=RULES)
def test_spans_are_sorted_disjoint_long_enough_and_inside_the_source(levels: Levels, rules: SpanRules) -> None:
    probabilities = windows(levels)
    seconds = len(probabilities) * WINDOW_SECONDS
    spans = speech_spans(probabilities, seconds, rules)
    assert all(0 <= span.start < span.end <= seconds for span in spans)
    assert all(span.seconds >= rules.min_speech - 1e-9 for span in spans)
    # Between two spans lies the shortest silence, of which each may have taken its padding.
    assert all(b.start - a.end >= rules.min_silence - 2 * rules.padding - 1e-9 for a, b in pairwise(spans))


@given(levels=LEVELS, rules=RULES)
def test_no_speech_is_lost_that_is_loud_and_long_enough(levels: Levels, rules: SpanRules) -> None:
    probabilities = windows(levels)
    spans = speech_spans(probabilities, len(probabilities) * WINDOW_SECONDS, rules)
    start = 0
    for level, length in levels:
        if level >= rules.onset and length * WINDOW_SECONDS >= rules.min_speech:
            first, last = start * WINDOW_SECONDS, (start + length) * WINDOW_SECONDS
            assert any(span.start <= first and last <= span.end + 1e-9 for span in spans)
        start += length


@given(levels=LEVELS, rules=RULES)
def test_nothing_is_speech_that_never_reaches_the_onset(levels: Levels, rules: SpanRules) -> None:
    quiet = np.minimum(windows(levels), np.float32(rules.onset - 0.01))
    assert speech_spans(quiet, len(quiet) * WINDOW_SECONDS, rules) == ()


@given(levels=LEVELS, rules=RULES, cuts=st.lists(st.integers(0, 400), max_size=6))
def test_spans_do_not_depend_on_the_pushes_and_what_was_given_is_final(
    levels: Levels, rules: SpanRules, cuts: list[int]
) -> None:
    probabilities = windows(levels)
    seconds = len(probabilities) * WINDOW_SECONDS
    tracker, given_so_far = SpanTracker(rules), []
    for part in np.split(probabilities, sorted(cuts)):
        settled = tracker.settled
        new = tracker.push(part)
        assert all(span.start >= settled - 1e-9 for span in new)
        assert tracker.settled >= settled
        assert all(span.end <= tracker.settled + 1e-9 for span in new)
        given_so_far += new
    given_so_far += tracker.flush(seconds)
    assert tuple(given_so_far) == speech_spans(probabilities, seconds, rules)


def test_a_dip_shorter_than_the_shortest_silence_does_not_end_speech() -> None:
    probabilities = windows([(0.9, 10), (0.1, 5), (0.9, 10), (0.1, 20)])
    assert len(speech_spans(probabilities, len(probabilities) * WINDOW_SECONDS)) == 1


def test_hesitating_probabilities_hold_open_speech_but_do_not_start_it() -> None:
    assert speech_spans(windows([(0.45, 50)]), 1.6) == ()
    (span,) = speech_spans(windows([(0.9, 10), (0.45, 10), (0.1, 30)]), 1.6)
    assert span.end == pytest.approx(20 * WINDOW_SECONDS + 0.1)


def test_times_do_not_drift_over_hours() -> None:
    tracker = SpanTracker()
    tracker.push(np.zeros(500_000, np.float32))
    tracker.push(windows([(0.9, 20)]))
    (span,) = tracker.push(windows([(0.0, 20)]))
    assert span.start == 500_000 * WINDOW_SECONDS - 0.1


@pytest.mark.parametrize("wrong", [{"onset": 0.2}, {"offset": 0.0}, {"padding": 0.2}, {"padding": -0.1}])
def test_rules_that_contradict_themselves_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must"):
        SpanRules(**wrong)
