from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.contracts.audio import ANALYSIS_RATE, Samples

FRAME_SECONDS = 0.01
FRAME_SAMPLES = round(FRAME_SECONDS * ANALYSIS_RATE)
LENGTH_SAMPLES = 400
"""A frame measures 25 ms; frames follow each other every 10 ms."""

_INT16_RANGE = 32_768
"""The library, and networks that are trained on what it gives, expect samples in this range."""


def frames_of(extractor: Any, samples: Samples) -> NDArray[np.float32]:
    """All frames that an extractor of kaldi-native-fbank makes of samples at 16 kHz, shape (frames, dimensions)."""
    extractor.accept_waveform(ANALYSIS_RATE, samples * np.float32(_INT16_RANGE))
    extractor.input_finished()
    frames = np.zeros((extractor.num_frames_ready, extractor.dim), np.float32)
    for number in range(len(frames)):
        frames[number] = extractor.get_frame(number)
    return frames


def mel_energies(samples: Samples, bands: int) -> NDArray[np.float32]:
    """Logarithms of the energies in Mel bands, shape (frames, bands), as WeSpeaker's networks are trained with.

    Kaldi's definition with a Hamming window and without dither. Only whole frames: a tail below 25 ms has none.
    """
    import kaldi_native_fbank

    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = ANALYSIS_RATE
    options.frame_opts.dither = 0.0
    options.frame_opts.window_type = "hamming"
    options.mel_opts.num_bins = bands
    return frames_of(kaldi_native_fbank.OnlineFbank(options), samples)
