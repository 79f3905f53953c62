from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.limiter import limit, limit_stream
from dataflow.metering import TruePeakMeter

RATE = 44_100


def pulses(seconds: float, hertz: float, seed: int = 0) -> np.ndarray:
    """Like a synthetic voice: short pulses that ring."""
    rng = np.random.default_rng(seed)
    train = np.zeros(round(seconds * RATE))
    train[:: round(RATE / hertz)] = rng.uniform(0.3, 1.0, len(train[:: round(RATE / hertz)]))
    ring = np.exp(-np.arange(300) / 40) * np.sin(2 * np.pi * 800 * np.arange(300) / RATE)
    return np.convolve(train, ring)[: len(train)].astype(np.float32)


def true_peak(samples: np.ndarray) -> float:
    meter = TruePeakMeter()
    meter.push(samples)
    return meter.peak


@settings(max_examples=30)
@given(st.floats(60, 300), st.floats(0.2, 8), st.integers(0, 50))
def test_no_true_peak_exceeds_the_ceiling(hertz: float, gain: float, seed: int) -> None:
    limited = limit(pulses(0.5, hertz, seed) * np.float32(gain), RATE, 0.8)
    assert true_peak(limited) <= 0.8 * 1.03


def test_what_stays_below_the_ceiling_is_not_touched() -> None:
    quiet = pulses(0.5, 120) * np.float32(0.5)
    assert true_peak(quiet) < 0.8
    np.testing.assert_allclose(limit(quiet, RATE, 0.8), quiet, atol=1e-6)


def test_limiting_raises_what_a_gain_alone_could_not() -> None:
    voice = pulses(1.0, 110, 3)
    alone = voice * np.float32(0.8 / true_peak(voice))
    limited = limit(alone * np.float32(2), RATE, 0.8)
    assert np.sqrt(np.mean(limited**2)) > 1.2 * np.sqrt(np.mean(alone**2))


@pytest.mark.parametrize("n", [0, 1, 5])
def test_tiny_takes_are_safe(n: int) -> None:
    assert len(limit(np.full(n, 2.0, np.float32), RATE, 0.8)) == n


@settings(max_examples=30)
@given(st.lists(st.integers(1, 9000), min_size=1, max_size=8), st.integers(0, 20))
def test_a_stream_is_held_the_same_whatever_its_blocks(sizes: list[int], seed: int) -> None:
    total = sum(sizes)
    left = pulses(total / RATE + 0.01, 110, seed)[:total]
    both = np.stack([2 * left, 0.1 * left], axis=1)
    cut = np.concatenate(list(limit_stream(np.split(both, np.cumsum(sizes)[:-1]), RATE, 0.8)))
    whole = np.concatenate(list(limit_stream([both], RATE, 0.8)))
    np.testing.assert_allclose(cut, whole, atol=1e-6)
    assert true_peak(whole) <= 0.8 * 1.03
    # One gain for both channels: what sounds on the left does not wander to the right.
    np.testing.assert_allclose(whole[:, 1], whole[:, 0] / 20, atol=1e-6)


def test_a_quiet_stream_passes_untouched_and_an_empty_one_ends() -> None:
    quiet = [np.full((n, 2), 0.3, np.float32) for n in (10, 3000, 1, 500)]
    np.testing.assert_array_equal(np.concatenate(list(limit_stream(quiet, RATE, 0.8))), np.concatenate(quiet))
    assert list(limit_stream([], RATE, 0.8)) == []


def test_a_stream_is_held_in_constant_memory() -> None:
    taken = 0

    def blocks() -> Iterator[np.ndarray]:
        nonlocal taken
        for _ in range(50):
            taken += RATE
            yield np.full((RATE, 2), 0.9, np.float32)

    given_back = 0
    for block in limit_stream(blocks(), RATE, 0.8):
        given_back += len(block)
        assert taken - given_back < RATE / 10
    assert given_back == taken
