import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dataflow.flac import decode, encode


@settings(max_examples=40)
@given(arrays(np.float32, st.integers(1, 10_000), elements=st.floats(-1, 1, width=32)))
def test_what_is_decoded_is_what_was_encoded_to_sixteen_bits(samples: np.ndarray) -> None:
    back, rate = decode(encode(samples, 22_050))
    assert rate == 22_050
    assert len(back) == len(samples)
    assert np.abs(back - samples).max() <= 0.6 / 32767


def test_two_channels_stay_two() -> None:
    both = np.random.default_rng(1).uniform(-1, 1, (9000, 2)).astype(np.float32)
    back, rate = decode(encode(both, 44_100))
    assert (back.shape, rate) == (both.shape, 44_100)
    assert np.abs(back - both).max() <= 0.6 / 32767


@pytest.mark.parametrize("shape", [(0,), (0, 2)])
def test_nothing_is_no_error(shape: tuple[int, ...]) -> None:
    back, _ = decode(encode(np.zeros(shape, np.float32), 16_000))
    assert len(back) == 0


def test_the_same_samples_give_the_same_bytes() -> None:
    samples = np.sin(np.arange(50_000) / 20).astype(np.float32)
    assert encode(samples, 16_000) == encode(samples, 16_000)


def test_too_loud_samples_are_clipped_and_not_wrapped() -> None:
    back, _ = decode(encode(np.array([3.0, -3.0] * 5000, np.float32), 16_000))
    assert back[0] == pytest.approx(1.0)
    assert back[1] == pytest.approx(-1.0)
