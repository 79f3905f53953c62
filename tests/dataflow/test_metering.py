from math import inf

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, resample_poly, sosfilt

from dataflow.loudness import SILENT, lufs
from dataflow.metering import LoudnessMeter, TruePeakMeter, measure


def babble(seconds: float, rate: int, seed: int = 0, channels: int | None = None) -> np.ndarray:
    """Noise in bursts, like speech: some loud stretches, some below the gates."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    envelope = np.repeat(rng.choice([0.0, 0.003, 0.1, 0.3], size=n // rate * 4 + 4), rate // 4)[:n]
    noise = rng.standard_normal((n, channels) if channels else n)
    return (noise * (envelope[:, None] if channels else envelope)).astype(np.float32)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [None, 2])
def test_agrees_with_an_independent_meter(rate: int, channels: int | None) -> None:
    samples = babble(12, rate, channels=channels)
    expected = pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(samples.astype(np.float64))
    assert lufs(measure(samples, rate).power) == pytest.approx(expected, abs=0.1)


def test_the_reference_tone_of_the_specification_reads_minus_three() -> None:
    tone = np.sin(2 * np.pi * 997 * np.arange(48_000 * 5) / 48_000).astype(np.float32)
    assert lufs(measure(tone, 48_000).power) == pytest.approx(-3.01, abs=0.05)


@settings(max_examples=20)
@given(st.lists(st.integers(1, 60_000), min_size=1, max_size=8))
def test_it_does_not_matter_how_the_stream_is_cut(cuts: list[int]) -> None:
    samples = babble(6, 16_000, seed=3)
    meter = LoudnessMeter(16_000)
    for piece in np.split(samples, sorted({min(c, len(samples)) for c in cuts})):
        meter.push(piece)
    assert meter.level().power == pytest.approx(measure(samples, 16_000).power, rel=1e-9)


def test_short_pieces_and_silence() -> None:
    assert measure(np.zeros(48_000, np.float32), 48_000) == SILENT
    assert measure(np.zeros(0, np.float32), 48_000) == SILENT
    assert lufs(0.0) == -inf
    click = measure(babble(1, 16_000, seed=5)[4000:6000], 16_000)
    assert click.blocks <= 1


def test_true_peak_finds_what_lies_between_the_samples() -> None:
    # A tone at a quarter of the rate, sampled 45 degrees off its crests: sample peak -3 dB, true peak 0 dB.
    fade = np.minimum(1, np.minimum(np.arange(48_000), np.arange(48_000)[::-1]) / 4800)
    tone = (np.sin(np.pi / 2 * np.arange(48_000) + np.pi / 4) * 0.5 * fade).astype(np.float32)
    meter = TruePeakMeter()
    for piece in np.array_split(tone, 7):
        meter.push(piece)
    assert meter.dbtp == pytest.approx(-6.02, abs=0.3)
    assert np.abs(tone).max() < 0.36


@settings(max_examples=15)
@given(st.integers(0, 1000))
def test_true_peak_is_close_to_high_oversampling(seed: int) -> None:
    samples = sosfilt(butter(8, 6000, fs=16_000, output="sos"), babble(2, 16_000, seed=seed)).astype(np.float32)
    meter = TruePeakMeter()
    for piece in np.array_split(samples, 5):
        meter.push(piece)
    assert meter.peak == pytest.approx(np.abs(resample_poly(samples, 16, 1)).max(), rel=0.06)
