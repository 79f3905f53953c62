import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.stretch import fit

RATE = 22_050


def voice(seconds: float, pitch: float = 140.0) -> np.ndarray:
    clock = np.arange(round(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * pitch * k * clock) / k for k in range(1, 12))
    return (0.2 * tone * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * clock))).astype(np.float32)


def pitch_of(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 18))
    frequencies = np.fft.rfftfreq(1 << 18, 1 / rate)
    band = (frequencies > 70) & (frequencies < 260)
    return float(frequencies[band][spectrum[band].argmax()])


@settings(max_examples=25)
@given(st.floats(0.3, 4.0), st.floats(0.77, 1.25), st.sampled_from([22_050, 44_100, 48_000]))
def test_the_wanted_length_is_met_to_the_sample(seconds: float, change: float, to_rate: int) -> None:
    wanted = round(seconds * change * to_rate)
    got = len(fit(voice(seconds), RATE, to_rate=to_rate, to_samples=wanted))
    assert got == wanted or abs(got - wanted) <= 0.003 * wanted + 1


@pytest.mark.parametrize("change", [0.77, 0.9, 1.0, 1.2])
def test_pitch_and_level_stay(change: float) -> None:
    original = voice(2.0)
    fitted = fit(original, RATE, to_rate=48_000, to_samples=round(2.0 * change * 48_000))
    assert pitch_of(fitted, 48_000) == pytest.approx(140, abs=2)
    assert np.sqrt(np.mean(fitted**2)) == pytest.approx(np.sqrt(np.mean(original**2)), rel=0.1)


def test_the_same_take_gives_the_same_samples() -> None:
    first, second = (fit(voice(1.0), RATE, to_rate=48_000, to_samples=40_000) for _ in range(2))
    assert np.array_equal(first, second)


def test_edges_are_soft_and_tiny_takes_are_safe() -> None:
    fitted = fit(np.ones(2000, np.float32), RATE, to_rate=RATE, to_samples=2000)
    assert fitted[0] == fitted[-1] == 0
    for n in (0, 1, 3):
        assert len(fit(np.ones(n, np.float32), RATE, to_rate=RATE, to_samples=n)) == n
