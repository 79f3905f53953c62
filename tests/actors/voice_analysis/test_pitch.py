import pickle
from collections.abc import Iterable

import numpy as np
import pytest
import soxr
from hypothesis import example, given
from hypothesis import strategies as st

from actors.contracts.audio import ANALYSIS_RATE, Clip
from actors.contracts.engine import EngineOptions
from actors.contracts.speech import Speech, SpeechRequest
from actors.contracts.voices import Gender, VoiceSample, VoiceTraits
from actors.speech.espeak import Espeak
from actors.voice_analysis.pitch import PitchAnalyser
from actors.voice_analysis.pitch_track import track_pitch
from tests.fixtures.measured import Report
from tests.fixtures.speech import LIBRIVOX_TEXTS, recording, reference_turns

TEXT = "He was not an ill disposed young man. The children went to the market to buy some bread for their mother."


@pytest.fixture(scope="module")
def engine() -> PitchAnalyser:
    engine = pickle.loads(pickle.dumps(PitchAnalyser(EngineOptions())))
    engine.check()
    engine.load()
    return engine


def analyse(engine: PitchAnalyser, *clips: Clip) -> VoiceTraits:
    (traits,) = engine.run([VoiceSample(clips)])
    assert isinstance(traits, VoiceTraits)
    return traits


def turns_of(name: str, who: str) -> Iterable[Clip]:
    """The clips in which only `who` speaks."""
    turns = reference_turns(name)
    for span, speaker in turns:
        alone = all(span.overlap(other) < 0.5 for other, another in turns if another != who)
        if speaker == who and alone:
            yield recording(name).cut(span)


def test_a_man_who_raises_his_voice_is_no_woman(engine: PitchAnalyser, report: Report) -> None:
    traits = analyse(engine, recording("jfk"))
    report(f"jfk: {traits.gender}, confidence {traits.confidence:.2f}, pitch {traits.pitch:.0f} Hz")
    assert traits.pitch is not None
    assert traits.pitch > 220
    assert traits.gender is not Gender.FEMALE
    assert traits.evidence > 0


def test_a_male_reader_is_male(engine: PitchAnalyser) -> None:
    for name in LIBRIVOX_TEXTS:
        assert analyse(engine, recording(name)).gender is Gender.MALE


def test_women_on_the_telephone_are_not_men(engine: PitchAnalyser, report: Report) -> None:
    for who in ("speaker90", "speaker91"):
        traits = analyse(engine, *turns_of("two_speakers", who))
        report(f"two_speakers, {who}: {traits.gender}, {traits.confidence:.2f}, {traits.pitch:.0f} Hz")
        assert traits.gender is not Gender.MALE


@pytest.mark.parametrize("name", ["trn01", "trn02", "trn03"])
def test_labelled_speakers_of_meetings_are_never_wrong(engine: PitchAnalyser, name: str, report: Report) -> None:
    """The corpus names women F... and men M...; most of these stretches are too short to tell."""
    for who in {speaker for _, speaker in reference_turns(name)}:
        clips = tuple(turns_of(name, who))
        traits = analyse(engine, *clips)
        report(f"{name}, {who}: {traits.gender}, {traits.confidence:.2f}, {traits.seconds:.1f} s voiced")
        assert traits.gender in {Gender.UNKNOWN, Gender.FEMALE if who.startswith("F") else Gender.MALE}


def test_a_long_turn_of_a_man_in_a_meeting_is_male(engine: PitchAnalyser) -> None:
    (clip,) = [clip for clip in turns_of("trn03", "MÉO069") if clip.seconds > 20]
    assert analyse(engine, clip).gender is Gender.MALE


@pytest.mark.parametrize("language", ["en-US", "es"])
def test_synthetic_voices_are_what_they_are_offered_as(engine: PitchAnalyser, language: str) -> None:
    speaker = Espeak(EngineOptions())
    for offer in speaker.voices(language):
        (said,) = speaker.run([SpeechRequest(TEXT, language, offer.id)])
        assert isinstance(said, Speech)
        clip = Clip(soxr.resample(said.samples, said.sample_rate, ANALYSIS_RATE), ANALYSIS_RATE)
        assert analyse(engine, clip).gender is offer.gender, offer.id


def tone(frequency: float, seconds: float = 1.0) -> Clip:
    """A pulse train through a resonance: a crude voice of known pitch."""
    samples = np.zeros(round(seconds * ANALYSIS_RATE), np.float32)
    samples[(np.arange(1, int(frequency * seconds)) * ANALYSIS_RATE / frequency).astype(int)] = 1.0
    ring = np.exp(-np.arange(200) / 30) * np.cos(np.arange(200) * 0.3)
    return Clip(np.convolve(samples, ring)[: len(samples)].astype(np.float32) * 0.3, ANALYSIS_RATE)


@pytest.mark.parametrize("frequency", [75, 100, 140, 210, 300, 380])
def test_pitch_is_found_without_octave_errors(frequency: int) -> None:
    assert np.median(track_pitch(tone(frequency)).frequency) == pytest.approx(frequency, rel=0.03)


@pytest.mark.parametrize(
    "clips",
    [
        (),
        (Clip(np.zeros(0, np.float32), ANALYSIS_RATE),),
        (Clip(np.zeros(32_000, np.float32), ANALYSIS_RATE),),
        (Clip(np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32), ANALYSIS_RATE),),
    ],
    ids=["nothing", "empty", "silence", "noise"],
)
def test_without_a_voice_nothing_is_told(engine: PitchAnalyser, clips: tuple[Clip, ...]) -> None:
    traits = analyse(engine, *clips)
    assert (traits.gender, traits.pitch, traits.confidence, traits.seconds) == (Gender.UNKNOWN, None, 0.0, 0.0)
    assert engine.combine((traits, traits)) == traits


def test_scenes_count_by_their_voiced_seconds(engine: PitchAnalyser) -> None:
    long, short = VoiceTraits(Gender.MALE, 0.9, 110.0, 4.0, 30.0), VoiceTraits(Gender.FEMALE, 0.9, 220.0, -4.0, 2.0)
    combined = engine.combine((short, long))
    assert combined.gender is Gender.MALE
    assert combined.evidence == pytest.approx(3.5)
    assert combined.seconds == 32.0
    assert 110 < (combined.pitch or 0) < 120
    assert engine.combine((long, short)) == combined


def test_scenes_that_are_unsure_alone_can_be_sure_together(engine: PitchAnalyser) -> None:
    scene = analyse(engine, Clip(recording("librivox-0930").samples[8000:20_000], ANALYSIS_RATE))
    assert scene.confidence < engine.combine((scene,) * 4).confidence


TRAITS = st.builds(
    VoiceTraits,
    gender=st.sampled_from(Gender),
    confidence=st.floats(0, 1),
    pitch=st.floats(60, 400),
    evidence=st.floats(-9, 9),
    seconds=st.floats(0, 60),
)


@example(scenes=[VoiceTraits(Gender.FEMALE, 0.0, 60.0, 1.5, 5e-324)])
@given(scenes=st.lists(TRAITS, max_size=6))
def test_combined_traits_stay_within_what_the_scenes_told(scenes: list[VoiceTraits]) -> None:
    combined = PitchAnalyser(EngineOptions()).combine(tuple(scenes))
    heard = [scene for scene in scenes if scene.seconds > 0]
    assert 0 <= combined.confidence <= 1
    if heard:
        evidence = [scene.evidence for scene in heard]
        assert min(evidence) - 1e-9 <= combined.evidence <= max(evidence) + 1e-9
    assert combined.gender is Gender.UNKNOWN or (combined.gender is Gender.MALE) == (combined.evidence > 0)
