"""What the acoustic diarizer sees of a scene: cepstra of every 10 ms in which somebody speaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from actors.contracts.audio import ANALYSIS_RATE, Clip, Samples, Span
from actors.diarization.kaldi_features import FRAME_SAMPLES, FRAME_SECONDS, LENGTH_SAMPLES, frames_of

_CEPSTRA = 20
_MEL_BANDS = 40
_QUIET_SHARE = 0.35
"""The quietest frames of speech tell more about the room and the pauses than about the voice."""


@dataclass(frozen=True, slots=True, eq=False)
class SpeechFrames:
    """The frames of one scene that lie in speech, one after the other.

    Attributes:
        cepstra: Shape (n, 19): Mel cepstral coefficients 1 to 19; the 0th, loudness, is left out.
        loud: Shape (n,): the frames from which voices are modelled.
        number: Shape (n,): each frame's position in the scene, in units of 10 ms.
    """

    cepstra: NDArray[np.float64]
    loud: NDArray[np.bool_]
    number: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.number)

    def normalized(self) -> NDArray[np.float64]:
        """The cepstra at zero mean and unit variance over the loud frames, shape (n, 19)."""
        loud = self.cepstra[self.loud]
        scaled: NDArray[np.float64] = (self.cepstra - loud.mean(axis=0)) / (loud.std(axis=0) + 1e-9)
        return scaled

    def runs(self) -> list[slice]:
        """Stretches without a gap."""
        breaks = np.flatnonzero(np.diff(self.number) > 1) + 1
        edges = [0, *breaks.tolist(), len(self)]
        return [slice(first, last) for first, last in pairwise(edges) if last > first]


def speech_frames(clip: Clip, speech: Sequence[Span]) -> SpeechFrames:
    """Measure the frames of a scene (16 kHz) that lie in `speech` (on the source's clock)."""
    count = len(clip.samples) // FRAME_SAMPLES
    spoken = np.zeros(count, np.bool_)
    for span in speech:
        first, last = (round((time - clip.start) / FRAME_SECONDS) for time in (span.start, span.end))
        spoken[max(0, first) : max(0, last)] = True
    number = np.flatnonzero(spoken)
    loudness = _loudness(clip.samples, count)[number]
    loud = loudness >= np.quantile(loudness, _QUIET_SHARE) if len(number) else spoken[:0]
    return SpeechFrames(_cepstra(clip.samples, count)[number], loud, number)


def _loudness(samples: Samples, count: int) -> NDArray[np.float64]:
    """Power of each frame."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    middle = np.arange(count) * FRAME_SAMPLES + FRAME_SAMPLES // 2
    first = np.maximum(0, middle - LENGTH_SAMPLES // 2)
    last = np.minimum(len(samples), middle + LENGTH_SAMPLES // 2)
    power: NDArray[np.float64] = (energy[last] - energy[first]) / (last - first)
    return power


def _cepstra(samples: Samples, count: int) -> NDArray[np.float64]:
    import kaldi_native_fbank

    options = kaldi_native_fbank.MfccOptions()
    options.frame_opts.samp_freq = ANALYSIS_RATE
    options.frame_opts.dither = 0.0
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = _MEL_BANDS
    options.num_ceps = _CEPSTRA
    options.use_energy = False
    made = frames_of(kaldi_native_fbank.OnlineMfcc(options), samples)[:count]
    cepstra = np.zeros((count, _CEPSTRA))
    cepstra[: len(made)] = made
    return cepstra[:, 1:]
