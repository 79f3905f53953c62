"""How a voice sounds, from its pitch and the length of its vocal tract."""

import math
from collections.abc import Sequence

import numpy as np

from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.voices import Gender, VoiceSample, VoiceTraits

_MALE_PITCH, _FEMALE_PITCH = ((0.9, 120.0, 0.22), (0.1, 200.0, 0.25)), ((0.95, 205.0, 0.16), (0.05, 150.0, 0.2))
"""(share, median in Hz, deviation of its logarithm). The main parts follow Hillenbrand et al. 1995 (J. Acoust. Soc. Am.
97: men 131 Hz, women 220 Hz in single words; running speech is lower) and Titze 1989 (J. Acoust. Soc. Am. 85: a ratio
of 1.7); the small ones are men who raise their voice, as in a public speech, and low female voices."""

_MALE_SPACING, _FEMALE_SPACING, _SPACING_DEVIATION = 1010.0, 1130.0, 60.0
"""Formant spacing in Hz: vocal tracts of 17.3 and 15.5 cm at 350 m/s (men and women differ by 12 to 17 % in Hillenbrand
et al. 1995), as this measurement finds them in running speech."""

_MOST_FROM_FORMANTS = 3.5
"""Linear prediction errs grossly at times: formants alone shall never decide against a clear pitch."""

_ENOUGH_SECONDS = 2.0
"""Less voiced speech than this counts for less."""

_SURE_ENOUGH = 0.5
"""Confidence, odds of 3 : 1, from which on a gender is told."""


class PitchAnalyser:
    """Tells male from female voices; says `UNKNOWN` rather than something wrong."""

    def __init__(self, options: EngineOptions) -> None:
        del options  # There is no model to choose, and it runs on one thread.

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        return EngineInfo(
            name="pitch",
            capability=Capability.VOICE_ANALYSIS,
            version="1",
            model="f0-formants",
            licence="Apache-2.0",
        )

    def check(self) -> None:
        """Nothing is needed beyond the installed packages."""

    def load(self) -> None:
        """Import what the first voice would otherwise wait for."""
        import scipy.linalg  # noqa: F401 - imported for its effect on the first run

    def run(self, batch: Sequence[VoiceSample]) -> Sequence[VoiceTraits | EngineError]:
        """Analyse voices one after the other."""
        return [_analyse(sample) for sample in batch]

    def close(self) -> None:
        """Nothing is held."""

    def combine(self, scenes: tuple[VoiceTraits, ...]) -> VoiceTraits:
        """Average what several scenes told about one speaker, weighted by their voiced speech."""
        heard = [scene for scene in scenes if scene.pitch and scene.seconds > 0]
        seconds = sum(scene.seconds for scene in heard)
        if not seconds:
            return _traits(None, 0.0, 0.0)
        # Divided first: a product with next to no seconds would lose its digits.
        evidence = sum(scene.evidence * (scene.seconds / seconds) for scene in heard)
        octaves = sum(math.log(scene.pitch) * (scene.seconds / seconds) for scene in heard if scene.pitch)
        return _traits(math.exp(octaves), evidence, seconds)


def _analyse(sample: VoiceSample) -> VoiceTraits:
    # Heavy imports, and only needed where the engine really runs.
    from actors.voice_analysis.formants import formant_spacings
    from actors.voice_analysis.pitch_track import HOP_SECONDS, track_pitch

    tracks = [(clip, track_pitch(clip)) for clip in sample.clips]
    pitches = np.concatenate([np.zeros(0), *(track.frequency for _, track in tracks)])
    spacings = np.concatenate([np.zeros(0), *(formant_spacings(clip, track.center) for clip, track in tracks)])
    if not len(pitches):
        return _traits(None, 0.0, 0.0)
    pitch = float(np.median(pitches))
    evidence = _pitch_evidence(pitch) + (_formant_evidence(float(np.median(spacings))) if len(spacings) else 0.0)
    return _traits(pitch, evidence, len(pitches) * HOP_SECONDS)


def _pitch_evidence(pitch: float) -> float:
    return math.log(_density(pitch, _MALE_PITCH) / _density(pitch, _FEMALE_PITCH))


def _density(pitch: float, mixture: Sequence[tuple[float, float, float]]) -> float:
    return sum(
        share / deviation * math.exp(-((math.log(pitch / median) / deviation) ** 2) / 2)
        for share, median, deviation in mixture
    )


def _formant_evidence(spacing: float) -> float:
    middle = (_MALE_SPACING + _FEMALE_SPACING) / 2
    evidence = (middle - spacing) * (_FEMALE_SPACING - _MALE_SPACING) / _SPACING_DEVIATION**2
    return min(_MOST_FROM_FORMANTS, max(-_MOST_FROM_FORMANTS, evidence))


def _traits(pitch: float | None, evidence: float, seconds: float) -> VoiceTraits:
    confidence = math.tanh(abs(evidence) / 2 * min(1.0, seconds / _ENOUGH_SECONDS))
    likelier = Gender.MALE if evidence > 0 else Gender.FEMALE
    gender = likelier if confidence >= _SURE_ENOUGH else Gender.UNKNOWN
    return VoiceTraits(gender, confidence, pitch, evidence, seconds)
