import itertools
import pickle
from collections.abc import Callable, Iterable

import numpy as np
import pytest
import soxr
from pyannote.core import Annotation, Segment
from pyannote.metrics.diarization import DiarizationErrorRate
from scipy.signal import butter, sosfilt

from actors.contracts.audio import ANALYSIS_RATE, Clip, Span
from actors.contracts.diarization import Diarization, DiarizationRequest, SceneSpeaker
from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.speech import Speech, SpeechRequest
from actors.diarization.acoustic import AcousticDiarizer
from actors.diarization.linking import link
from actors.speech.espeak import Espeak
from tests.fixtures.measured import Report
from tests.fixtures.speech import LIBRIVOX_TEXTS, recording, reference_turns

Spans = Callable[[Clip], tuple[Span, ...]]


@pytest.fixture(scope="module")
def engine() -> AcousticDiarizer:
    engine = pickle.loads(pickle.dumps(AcousticDiarizer(EngineOptions())))
    engine.check()
    engine.load()
    return engine


def diarize(engine: AcousticDiarizer, clip: Clip, speech: Iterable[Span], **limits: int) -> Diarization:
    (diarization,) = engine.run([DiarizationRequest(clip, tuple(speech), **limits)])
    assert isinstance(diarization, Diarization)
    return diarization


def error_rate(diarization: Diarization) -> float:
    """DER on the conversation: collar 0.25 s, overlapping speech scored."""
    reference, hypothesis = Annotation(), Annotation()
    for track, (span, who) in enumerate(reference_turns("two_speakers")):
        reference[Segment(span.start, span.end), track] = who
    for track, turn in enumerate(diarization.turns):
        hypothesis[Segment(turn.start, turn.end), track] = str(turn.speaker)
    metric = DiarizationErrorRate(collar=0.25, skip_overlap=False)
    return float(metric(reference, hypothesis, uem=None))


def joined(*names: str, gap: float = 0.4) -> Clip:
    silence = np.zeros(round(gap * ANALYSIS_RATE), np.float32)
    return Clip(np.concatenate([part for name in names for part in (recording(name).samples, silence)]), ANALYSIS_RATE)


def test_two_people_on_the_telephone_are_told_apart(engine: AcousticDiarizer, speech_of: Spans, report: Report) -> None:
    clip = recording("two_speakers")
    diarization = diarize(engine, clip, speech_of(clip))
    rate = error_rate(diarization)
    report(f"DER of two_speakers: {rate:.1%} (one speaker for all: 47 %)")
    assert len(diarization.speakers) == 2
    assert rate < 0.14


@pytest.mark.parametrize("names", [("jfk",), ("trn03",), tuple(LIBRIVOX_TEXTS), ("librivox-0870",)])
def test_one_person_is_one_speaker(engine: AcousticDiarizer, speech_of: Spans, names: tuple[str, ...]) -> None:
    clip = joined(*names)
    diarization = diarize(engine, clip, speech_of(clip))
    assert {turn.speaker for turn in diarization.turns} == {0}
    assert len(diarization.speakers) == 1


def test_more_than_two_people_are_counted(engine: AcousticDiarizer, speech_of: Spans) -> None:
    clip = joined("librivox-0870", "jfk", "librivox-0890", "trn03")
    diarization = diarize(engine, clip, speech_of(clip))
    assert len(diarization.speakers) == 3


def test_synthetic_voices_in_turn_are_given_back(engine: AcousticDiarizer, speech_of: Spans) -> None:
    texts = ["The children went to the market to buy some bread and milk.", "We have to leave early in the morning."]
    speaker = Espeak(EngineOptions())
    parts, truth, at = [], [], 0.0
    for turn in range(9):
        voice = ("m6", "f2", "henrique")[turn % 3]
        (said,) = speaker.run([SpeechRequest(f"{texts[0]} {texts[1]}" if turn % 2 else texts[0], "en-US", voice)])
        assert isinstance(said, Speech)
        samples = soxr.resample(said.samples, said.sample_rate, ANALYSIS_RATE)
        truth.append((at, at + len(samples) / ANALYSIS_RATE, voice))
        parts += [samples, np.zeros(8000, np.float32)]
        at += len(samples) / ANALYSIS_RATE + 0.5
    samples = np.concatenate(parts)
    clip = Clip((samples + np.random.default_rng(0).normal(0, 2e-4, len(samples))).astype(np.float32), ANALYSIS_RATE)
    diarization = diarize(engine, clip, speech_of(clip))
    names: dict[int, set[str]] = {}
    for start, end, voice in truth:
        middle = [turn.speaker for turn in diarization.turns if turn.start <= (start + end) / 2 < turn.end]
        names.setdefault(middle[0], set()).add(voice)
    assert sorted(names.values(), key=sorted) == [{"f2"}, {"henrique"}, {"m6"}]


def test_limits_are_respected(engine: AcousticDiarizer, speech_of: Spans) -> None:
    clip = recording("two_speakers")
    assert len(diarize(engine, clip, speech_of(clip), max_speakers=1).speakers) == 1
    assert len(diarize(engine, clip, speech_of(clip), min_speakers=2, max_speakers=2).speakers) == 2


def test_turns_are_sorted_disjoint_inside_speech_and_on_the_clock_of_the_source(
    engine: AcousticDiarizer, speech_of: Spans
) -> None:
    original = recording("two_speakers")
    clip = Clip(original.samples, original.rate, start=1000.0)
    speech = tuple(Span(span.start + 1000, span.end + 1000) for span in speech_of(original))
    turns = diarize(engine, clip, speech).turns
    here = diarize(engine, original, speech_of(original)).turns
    assert [turn.start - 1000 for turn in turns] == pytest.approx([turn.start for turn in here], abs=0.011)
    assert all(a.end <= b.start + 1e-6 for a, b in itertools.pairwise(turns))
    assert all(any(s.start - 0.01 <= t.start and t.end <= s.end + 0.01 for s in speech) for t in turns)
    assert sum(turn.end - turn.start for turn in turns) == pytest.approx(sum(s.seconds for s in speech), rel=0.01)


@pytest.mark.parametrize("seconds", [0.0, 0.005, 0.2, 1.0])
def test_little_speech_is_one_speaker_without_a_voiceprint_or_nobody(engine: AcousticDiarizer, seconds: float) -> None:
    clip = Clip(recording("jfk").samples[8000 : 8000 + round(seconds * ANALYSIS_RATE)], ANALYSIS_RATE)
    diarization = diarize(engine, clip, [clip.span] if seconds else [])
    assert [speaker.voiceprint for speaker in diarization.speakers] == ([()] if diarization.turns else [])


def test_a_bad_request_fails_alone(engine: AcousticDiarizer, speech_of: Spans) -> None:
    clip = recording("jfk")
    good = DiarizationRequest(clip, speech_of(clip))
    bad = DiarizationRequest(clip, speech_of(clip), min_speakers=3, max_speakers=2)
    first, error, last = engine.run([good, bad, good])
    assert isinstance(first, Diarization)
    assert isinstance(last, Diarization)
    assert isinstance(error, EngineError)


def test_digital_silence_in_the_speech_is_survived(engine: AcousticDiarizer) -> None:
    clip = Clip(np.zeros(20 * ANALYSIS_RATE, np.float32), ANALYSIS_RATE)
    assert len(diarize(engine, clip, [clip.span]).speakers) == 1


def voice(engine: AcousticDiarizer, clip: Clip, who: str) -> SceneSpeaker:
    """The voiceprint of one person of the conversation, from what the reference says is theirs."""
    spans = [
        (max(s.start, clip.start), min(s.end, clip.span.end))
        for s, name in reference_turns("two_speakers")
        if name == who
    ]
    own = [Span(start, end) for start, end in spans if end > start]
    return diarize(engine, clip, own, max_speakers=1).speakers[0]


@pytest.mark.parametrize("cuts", [(6, 18, 30), (6, 21.6, 30), (6, 14.5, 22, 30)])
def test_people_of_a_conversation_are_found_again_in_every_scene(
    engine: AcousticDiarizer, cuts: tuple[float, ...]
) -> None:
    clips = [recording("two_speakers").cut(Span(a, b)) for a, b in itertools.pairwise(cuts)]
    scenes = [[voice(engine, clip, who) for who in ("speaker90", "speaker91")] for clip in clips]
    assert link(scenes, engine.metric) == ((0, 1),) * len(clips)


def test_voices_are_nearer_to_themselves_than_to_others(
    engine: AcousticDiarizer, speech_of: Spans, report: Report
) -> None:
    halves = [recording("two_speakers").cut(Span(6, 18)), recording("two_speakers").cut(Span(18, 30))]
    people = [voice(engine, half, who) for who in ("speaker90", "speaker91") for half in halves]
    for clip in (joined("librivox-0870", "librivox-0880"), joined("librivox-0890", "librivox-0920", "librivox-0930")):
        people += diarize(engine, clip, speech_of(clip)).speakers
    for half in (recording("trn03").cut(Span(1.3, 15)), recording("trn03").cut(Span(15, 30))):
        people += diarize(engine, half, [half.span]).speakers
    distances = engine.metric.distances([person.voiceprint for person in people])
    same = [distances[i, i + 1] for i in range(0, len(people), 2)]
    lines = [distances[i, j] for i in range(len(people)) for j in range(i) if _line(i) != _line(j)]
    report(f"same voice: at most {max(same):.2f}; other people, other line: at least {min(lines):.2f}")
    assert max(same) < engine.metric.threshold < min(lines)
    telephone = distances[:2, 2:4]
    assert telephone.min() > max(distances[0, 1], distances[2, 3])


def _line(person: int) -> int:
    return max(1, person // 2)


def test_through_another_channel_one_voice_is_another_so_it_is_not_said_to_hold_across_recordings(
    engine: AcousticDiarizer,
) -> None:
    first, second = (recording("two_speakers").cut(Span(*half)) for half in ((6, 18), (18, 30)))
    telephone = butter(4, (400, 2500), "bandpass", fs=ANALYSIS_RATE, output="sos")
    muffled = Clip(sosfilt(telephone, second.samples).astype(np.float32), ANALYSIS_RATE, second.start)
    prints = [voice(engine, clip, "speaker90").voiceprint for clip in (first, second, muffled)]
    distances = engine.metric.distances(prints)
    assert distances[0, 1] < engine.metric.threshold < distances[0, 2]
    assert not engine.metric.across_recordings


@pytest.mark.parametrize("cuts", [(0, 12.5, 26), (0, 9, 18, 26)])
def test_one_reader_is_one_person_in_all_scenes(
    engine: AcousticDiarizer, speech_of: Spans, cuts: tuple[float, ...]
) -> None:
    whole = joined(*LIBRIVOX_TEXTS)
    clips = [whole.cut(Span(a, b)) for a, b in itertools.pairwise(cuts)]
    scenes = [diarize(engine, clip, speech_of(clip)).speakers for clip in clips]
    assert {number for numbers in link(scenes, engine.metric) for number in numbers} == {0}


def test_distances_of_empty_voiceprints_are_infinite(engine: AcousticDiarizer) -> None:
    distances = engine.metric.distances([(), ()])
    assert np.isinf(distances[0, 1])
    assert distances[0, 0] == 0
