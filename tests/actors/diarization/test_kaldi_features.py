"""The features against their definition, written down again, and against the library that the networks learn with."""

import numpy as np
import pytest
from numpy.typing import NDArray

from actors.contracts.audio import Samples
from actors.diarization.kaldi_features import mel_energies
from tests.fixtures.speech import recording


def defined(samples: Samples, bands: int) -> NDArray[np.float64]:
    """Kaldi's log Mel energies: 25 ms every 10 ms, Hamming window, whole frames, samples as 16-bit numbers."""
    count = 1 + (len(samples) - 400) // 160
    starts = np.arange(count)[:, None] * 160
    frames = samples.astype(np.float64)[starts + np.arange(400)] * 32_768
    frames -= frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399)
    power = np.abs(np.fft.rfft((frames - 0.97 * before) * window, 512)[:, :256]) ** 2

    def mel(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1127 * np.log(1 + frequency / 700)

    edges = np.linspace(*mel(np.array([20.0, 8000.0])), bands + 2)
    places = mel(np.arange(256) * 16_000 / 512)
    rising = (places - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - places) / (edges[2:] - edges[1:-1])[:, None]
    return np.log(np.maximum(power @ np.maximum(0, np.minimum(rising, falling)).T, np.finfo(np.float32).eps))


def test_mel_energies_are_what_kaldi_defines() -> None:
    samples = recording("two_speakers").samples[16_000:48_123]
    made = mel_energies(samples, 80)
    assert made.shape == (1 + (len(samples) - 400) // 160, 80)
    assert np.abs(made - defined(samples, 80)).max() < 2e-3


def test_a_window_of_a_recording_has_the_frames_of_the_recording() -> None:
    samples = recording("jfk").samples
    assert np.array_equal(mel_energies(samples[32_000:64_000], 80), mel_energies(samples, 80)[200 : 200 + 198])


@pytest.mark.parametrize("length", [0, 399])
def test_less_than_a_frame_has_no_features(length: int) -> None:
    assert mel_energies(np.zeros(length, np.float32), 80).shape == (0, 80)


@pytest.mark.models
def test_mel_energies_are_those_of_the_networks_authors() -> None:
    import torch
    from torchaudio.compliance import kaldi

    samples = recording("two_speakers").samples
    waveform = torch.from_numpy(samples)[None] * (1 << 15)
    # Of wespeaker/bin/infer_onnx.py, without its dither.
    theirs = kaldi.fbank(
        waveform,
        num_mel_bins=80,
        frame_length=25,
        frame_shift=10,
        dither=0.0,
        energy_floor=0.0,
        sample_frequency=16_000,
        window_type="hamming",
        htk_compat=True,
        use_energy=False,
    )
    assert np.abs(mel_energies(samples, 80) - theirs.numpy()).max() < 2e-3
