import pickle
import re
from collections.abc import Callable, Iterator

import jiwer
import numpy as np
import pytest

from actors.contracts.audio import ANALYSIS_RATE, Clip, Span
from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.transcription import Transcription, TranscriptionRequest, Word
from actors.transcription.pocketsphinx import PocketSphinx
from tests.fixtures.measured import Report
from tests.fixtures.speech import JFK_TEXT, LIBRIVOX_TEXTS, recording

Spans = Callable[[Clip], tuple[Span, ...]]


@pytest.fixture(scope="module")
def engine() -> Iterator[PocketSphinx]:
    engine = pickle.loads(pickle.dumps(PocketSphinx(EngineOptions())))
    engine.check()
    engine.load()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def heard(engine: PocketSphinx, speech_of: Spans) -> dict[str, Transcription]:
    """What the engine makes of each recording; recognised once, because it is the slowest engine."""
    names = ["jfk", *LIBRIVOX_TEXTS]
    requests = [TranscriptionRequest(recording(name), speech_of(recording(name)), "en-US") for name in names]
    return {name: _good(outcome) for name, outcome in zip(names, engine.run(requests), strict=True)}


def _good(outcome: Transcription | EngineError) -> Transcription:
    assert isinstance(outcome, Transcription)
    return outcome


def plain(text: str) -> str:
    return re.sub(r"[^a-z' ]", " ", text.lower().replace("-", " "))


def text_of(words: tuple[Word, ...]) -> str:
    return " ".join(word.text for word in words)


def test_words_of_real_recordings_are_recognised(heard: dict[str, Transcription], report: Report) -> None:
    texts = {"jfk": JFK_TEXT, **LIBRIVOX_TEXTS}
    rates = {name: jiwer.wer(plain(texts[name]), plain(text_of(said.words))) for name, said in heard.items()}
    overall = jiwer.wer([plain(texts[name]) for name in heard], [plain(text_of(said.words)) for said in heard.values()])
    report(f"WER: {overall:.0%} overall; " + ", ".join(f"{name} {rate:.0%}" for name, rate in rates.items()))
    assert overall < 0.45


def test_words_are_in_order_inside_speech_and_have_probabilities(
    heard: dict[str, Transcription], speech_of: Spans
) -> None:
    for name, said in heard.items():
        speech = speech_of(recording(name))
        assert all(a.start <= b.start and a.end <= b.end for a, b in zip(said.words, said.words[1:], strict=False))
        assert all(word.start < word.end and 0 <= word.probability <= 1 for word in said.words)
        assert all(any(s.start - 0.5 <= w.start and w.end <= s.end + 0.5 for s in speech) for w in said.words)
        assert not any(re.search(r"[<\[(+]", word.text) for word in said.words)


def phrases(clip: Clip) -> list[Span]:
    """Truth by energy alone: stretches within 18 dB of the loudest, with silences of 0.5 s between them."""
    frames = clip.samples[: len(clip.samples) // 320 * 320].reshape(-1, 320)
    power = np.convolve(np.square(frames).mean(axis=1), np.ones(5) / 5, "same")
    found: list[Span] = []
    for frame in np.flatnonzero(power > np.quantile(power, 0.98) / 10**1.8).tolist():
        span = Span(frame * 0.02, (frame + 1) * 0.02)
        if found and span.start - found[-1].end < 0.5:
            found[-1] = Span(found[-1].start, span.end)
        else:
            found.append(span)
    return [span for span in found if span.seconds > 0.5]


def sentences(words: tuple[Word, ...]) -> list[Span]:
    spans: list[Span] = []
    starts = True
    for word in words:
        spans = [*spans, Span(word.start, word.end)] if starts else [*spans[:-1], Span(spans[-1].start, word.end)]
        starts = word.text.endswith(".")
    return spans


def test_sentences_start_and_end_when_they_are_spoken(heard: dict[str, Transcription], report: Report) -> None:
    for name, said in heard.items():
        truth, found = phrases(recording(name)), sentences(said.words)
        errors = [max(abs(a.start - b.start), abs(a.end - b.end)) for a, b in zip(truth, found, strict=False)]
        report(f"{name}: {len(found)} sentences, largest error {max(errors):.2f} s")
        assert len(found) == len(truth)
        assert max(errors) < 0.5


def test_times_are_on_the_clock_of_the_source(
    engine: PocketSphinx, heard: dict[str, Transcription], speech_of: Spans
) -> None:
    original = recording("librivox-0880")
    later = Clip(original.samples, original.rate, start=600.0)
    (said,) = engine.run([TranscriptionRequest(later, speech_of(later), "en-US")])
    before = heard["librivox-0880"].words
    assert [word.start for word in _good(said).words] == pytest.approx([word.start + 600 for word in before])


def test_the_result_does_not_depend_on_what_was_heard_before(
    engine: PocketSphinx, heard: dict[str, Transcription], speech_of: Spans
) -> None:
    clip = recording("librivox-0930")
    (said,) = engine.run([TranscriptionRequest(clip, speech_of(clip), "en-US")])
    assert said == heard["librivox-0930"]


def test_the_language_is_english_or_refused_without_failing_others(engine: PocketSphinx, speech_of: Spans) -> None:
    clip = recording("librivox-0880")
    french, unknown = engine.run(
        [TranscriptionRequest(clip, speech_of(clip), "fr"), TranscriptionRequest(clip, speech_of(clip))]
    )
    assert isinstance(french, EngineError)
    assert french.code == "unsupported_language"
    assert _good(unknown).language == "en"
    assert 0.2 < _good(unknown).language_probability < 1.0
    assert engine.languages() == {"en"}


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.2, 3.0])
def test_silence_and_slivers_give_no_words_or_few(engine: PocketSphinx, seconds: float) -> None:
    clip = Clip(np.zeros(round(seconds * ANALYSIS_RATE), np.float32), ANALYSIS_RATE)
    (said,) = engine.run([TranscriptionRequest(clip, (clip.span,), None)])
    assert len(_good(said).words) <= 1


def test_a_scene_without_speech_has_no_language(engine: PocketSphinx) -> None:
    (said,) = engine.run([TranscriptionRequest(recording("jfk"), (), None)])
    assert said == Transcription((), None, 0.0)


def test_audio_at_another_rate_is_refused(engine: PocketSphinx) -> None:
    clip = Clip(np.zeros(8000, np.float32), 8000)
    (said,) = engine.run([TranscriptionRequest(clip, (clip.span,), "en")])
    assert isinstance(said, EngineError)


def test_a_missing_model_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.transcription.pocketsphinx.find_spec", lambda _name: None)
    with pytest.raises(EngineError, match="pip install") as caught:
        PocketSphinx(EngineOptions()).load()
    assert caught.value.code == "model_missing"
