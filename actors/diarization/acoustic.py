"""Diarization without a trained model: clustering, and Gaussians, of Mel cepstra."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from actors.contracts.diarization import Diarization, DiarizationRequest, SceneSpeaker, Turn
from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.diarization.frames import SpeechFrames, speech_frames
from actors.diarization.kaldi_features import FRAME_SECONDS
from actors.diarization.limits import contradiction
from actors.diarization.segmentation import Labels, segment
from actors.diarization.separation import separation
from actors.diarization.voiceprints import CepstralMetric, voiceprint

_MOST_SPEAKERS = 8
"""How many are looked for within one scene, where nothing is known."""

_SECOND_VOICE = 2.65
"""Separation (nats a frame) at which one voice is taken for two. Measured on 8 to 30 s of real speech: parts of one
reader, of a public speech and of a meeting reach -0.2 to 2.6, two women on one telephone line 1.9 to 3.7."""

_FURTHER_VOICE = 3.5
"""The same for each voice after the second, of which the parts of one voice in a lively mood come closer."""

_EXPECTED_VOICE = 2.0
"""The same for as many voices as the source is said to have at least; not every scene has to have all of them."""


class AcousticDiarizer:
    """Tells voices of one recording apart by their spectrum; knows no voice beforehand.

    Turns of two speakers never overlap. It errs on the side of too few speakers.
    """

    def __init__(self, options: EngineOptions) -> None:
        self._threads = options.threads

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        return EngineInfo(
            name="acoustic",
            capability=Capability.DIARIZATION,
            version="1",
            model="cepstra",
            licence="Apache-2.0",
        )

    @property
    def metric(self) -> CepstralMetric:
        """Compares voiceprints of one source."""
        return CepstralMetric()

    def check(self) -> None:
        """Nothing is needed beyond the installed packages."""

    def load(self) -> None:
        """Import what the first scene would otherwise wait for."""
        import kaldi_native_fbank  # noqa: F401 - imported for its effect on the first run
        import scipy.cluster.hierarchy  # noqa: F401 - imported for its effect on the first run

    def run(self, batch: Sequence[DiarizationRequest]) -> Sequence[Diarization | EngineError]:
        """Diarize scenes one after the other."""
        from threadpoolctl import threadpool_limits

        # The matrices are small: unlimited, BLAS wakes all cores for each, and a busy machine takes ten times longer.
        with threadpool_limits(limits=self._threads):
            return [_diarize(request) for request in batch]

    def close(self) -> None:
        """Nothing is held."""


def _diarize(request: DiarizationRequest) -> Diarization | EngineError:
    if refused := contradiction(request):
        return refused
    frames = speech_frames(request.clip, request.speech)
    if not len(frames):
        return Diarization((), ())
    labels = _by_appearance(_segment(frames, request.min_speakers or 1, request.max_speakers or _MOST_SPEAKERS))
    turns = tuple(_turns(frames, labels, request.clip.start))
    return Diarization(turns, tuple(_speaker(frames, labels, speaker) for speaker in np.unique(labels).tolist()))


def _segment(frames: SpeechFrames, expected: int, most: int) -> Labels:
    """The segmentation into as many speakers as can be told apart."""
    best: Labels = np.zeros(len(frames), np.int64)
    for speakers in range(2, most + 1):
        labels = segment(frames, speakers)
        if labels is None or separation(frames, labels) < _needed(speakers, expected):
            break
        best = labels
    return best


def _needed(speakers: int, expected: int) -> float:
    if speakers <= expected:
        return _EXPECTED_VOICE
    return _SECOND_VOICE if speakers == 2 else _FURTHER_VOICE  # noqa: PLR2004 - the second one


def _by_appearance(labels: Labels) -> Labels:
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    renumbered: Labels = np.argsort(np.argsort(first))[inverse]
    return renumbered


def _turns(frames: SpeechFrames, labels: Labels, start: float) -> Iterator[Turn]:
    for run in frames.runs():
        changes = (np.flatnonzero(np.diff(labels[run])) + 1 + run.start).tolist()
        edges = [run.start, *changes, run.stop]
        for first, last in pairwise(edges):
            begin, end = int(frames.number[first]), int(frames.number[last - 1]) + 1
            yield Turn(start + begin * FRAME_SECONDS, start + end * FRAME_SECONDS, int(labels[first]))


def _speaker(frames: SpeechFrames, labels: Labels, speaker: int) -> SceneSpeaker:
    own = labels == speaker
    seconds = int(np.count_nonzero(own)) * FRAME_SECONDS
    return SceneSpeaker(speaker, seconds, voiceprint(frames.cepstra[own & frames.loud]))
