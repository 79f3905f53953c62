import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dataflow.scene_sound import Tape, as_stereo


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(0, 80), st.integers(1, 90)), max_size=8),
)
def test_a_tape_gives_every_stretch_sample_for_sample_with_a_little_way_back(
    sizes: list[int], readings: list[tuple[int, int]]
) -> None:
    total = sum(sizes)
    track = np.arange(total, dtype=np.float32)[:, None]
    tape = Tape(np.split(track, np.cumsum(sizes)[:-1]), back=20)
    clock = 0
    for ahead, length in readings:
        first = max(0, clock - 20 + ahead)
        clock = first + length
        np.testing.assert_array_equal(tape.read(first, clock), track[first:clock])


def test_a_tape_holds_what_may_be_read_again_and_no_more() -> None:
    tape = Tape((np.zeros((10, 2), np.float32) for _ in range(1000)), back=30)
    tape.read(9000, 9100)
    assert sum(map(len, tape._held)) <= 40


def test_one_channel_is_heard_on_both() -> None:
    np.testing.assert_array_equal(as_stereo(np.array([1, 2], np.float32)), [[1, 1], [2, 2]])
    both = np.array([[1, 2], [3, 4]], np.float32)
    np.testing.assert_array_equal(as_stereo(both), both)
