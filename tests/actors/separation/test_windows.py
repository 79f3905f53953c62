import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from actors.separation.windows import Joined, cut, starts


@given(st.integers(1, 5000), st.integers(8, 900))
def test_windows_cover_a_recording_and_put_it_together_again(samples: int, window: int) -> None:
    sound = np.random.default_rng(samples).uniform(-1, 1, (samples, 2)).astype(np.float32)
    joined = Joined(samples, window)
    for start in starts(samples, window):
        assert start + window <= max(samples, window)
        joined.add(start, cut(sound, start, window))
    np.testing.assert_allclose(joined.sound, sound, atol=1e-6)


@given(st.integers(1, 100_000), st.integers(100, 9000))
def test_windows_overlap_by_a_quarter_at_least(samples: int, window: int) -> None:
    places = starts(samples, window)
    assert places[0] == 0
    assert all(0 < step <= round(0.75 * window) for step in np.diff(places))


def test_where_windows_disagree_one_fades_into_the_other() -> None:
    joined = Joined(150, 100)
    joined.add(0, np.zeros((100, 2), np.float32))
    joined.add(50, np.ones((100, 2), np.float32))
    heard = joined.sound[:, 0]
    assert (heard[:50] == 0).all()
    assert (heard[100:] == 1).all()
    assert (np.diff(heard[50:100]) > 0).all()
