import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.bed import Bed
from dataflow.mix import Piece, mix


def piece(start: int, samples: np.ndarray) -> Piece:
    return Piece(start, len(samples), lambda: samples.astype(np.float32))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(1, 200)), max_size=12),
    st.integers(1, 1000),
    st.integers(1, 300),
)
def test_every_take_lies_at_its_own_sample_whatever_the_block_size(
    spans: list[tuple[int, int]], total: int, block: int
) -> None:
    rng = np.random.default_rng(0)
    pieces = [piece(start, rng.standard_normal(n)) for start, n in sorted(spans)]
    expected = np.zeros(total + 2000, np.float32)
    for p in pieces:
        expected[p.start : p.start + p.samples] += p.load()
    track = np.concatenate(list(mix(pieces, total, channels=2, block=block)))
    assert track.shape == (total, 2)
    np.testing.assert_allclose(track, np.repeat(expected[:total, None], 2, axis=1), atol=1e-5)


def test_a_second_voice_does_not_lower_the_first() -> None:
    one = piece(0, np.full(100, 0.4))
    alone = np.concatenate(list(mix([one], 100, channels=1, block=30)))
    together = np.concatenate(list(mix([one, piece(0, np.full(100, 0.1))], 100, channels=1, block=30)))
    np.testing.assert_allclose(together - alone, 0.1, atol=1e-6)


def test_takes_are_loaded_when_their_time_comes_and_dropped_after_it() -> None:
    loaded: list[int] = []

    def lazily(start: int) -> Piece:
        def load() -> np.ndarray:
            loaded.append(start)
            return np.ones(10, np.float32)

        return Piece(start, 10, load)

    blocks = mix([lazily(0), lazily(500)], 1000, channels=1, block=100)
    next(blocks)
    assert loaded == [0]
    list(blocks)
    assert loaded == [0, 500]


def test_the_gain_of_the_whole_touches_takes_and_bed() -> None:
    bed = Bed([np.ones((10, 2), np.float32)], 1.0, [], rate=1000)
    (track,) = mix([piece(0, np.ones(10))], 10, channels=2, block=10, bed=bed, gain=0.25)
    assert track == pytest.approx(np.full((10, 2), 0.5))
