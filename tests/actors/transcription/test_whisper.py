"""The real library on a checkpoint that understands ten sentences: right words, times and languages."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actors.contracts.audio import ANALYSIS_RATE, Clip, Span
from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.transcription import Transcription, TranscriptionRequest
from actors.transcription.whisper import Whisper
from tests.fixtures.checkpoints.whisper import sentences, whisper_checkpoint
from tests.fixtures.measured import Report
from tests.fixtures.spoken import Scene, scene

pytestmark = pytest.mark.models

ENGLISH, SPANISH = sentences()[:5], sentences()[5:]


@pytest.fixture(scope="module")
def options() -> EngineOptions:
    parameters = {"model": str(whisper_checkpoint()), "compute_type": "float32", "window": "4"}
    return EngineOptions(parameters=parameters)


@pytest.fixture(scope="module")
def engine(options: EngineOptions) -> Iterator[Whisper]:
    engine = Whisper(options)
    engine.check()
    engine.load()
    yield engine
    engine.close()


def ask(one: Scene, language: str | None = None) -> TranscriptionRequest:
    return TranscriptionRequest(one.clip, one.speech, language)


def only(engine: Whisper, request: TranscriptionRequest) -> Transcription:
    (outcome,) = engine.run([request])
    assert isinstance(outcome, Transcription), outcome
    return outcome


def text(said: Transcription) -> str:
    return " ".join(word.text for word in said.words)


@pytest.mark.parametrize("language", ["en", None])
def test_words_and_times_are_right(engine: Whisper, report: Report, language: str | None) -> None:
    truth = scene(ENGLISH, start=100.0)
    said = only(engine, ask(truth, language))
    assert text(said) == " ".join(one.text for one in ENGLISH)
    assert said.language == "en"
    errors = [
        max(abs(heard.start - true.start), abs(heard.end - true.end))
        for heard, true in zip(said.words, truth.words, strict=True)
    ]
    report(f"whisper, word times: median error {np.median(errors):.2f} s, largest {max(errors):.2f} s")
    assert max(errors) < 0.3
    assert all(0 < word.probability <= 1 for word in said.words)
    assert [word.language for word in said.words] == [None] * len(truth.words)


def test_the_language_is_told_from_the_sound(engine: Whisper) -> None:
    said = only(engine, ask(scene(SPANISH)))
    assert (said.language, text(said)) == ("es", " ".join(one.text for one in SPANISH))
    assert said.language_probability > 0.8


def test_a_sentence_in_another_language_is_written_in_it(engine: Whisper) -> None:
    said = only(engine, ask(scene([*ENGLISH[:3], SPANISH[0]])))
    assert said.language == "en"
    assert text(said).endswith(SPANISH[0].text)
    languages = [word.language for word in said.words]
    assert languages == [None] * (len(said.words) - len(SPANISH[0].words)) + ["es"] * len(SPANISH[0].words)


def test_a_batch_of_scenes_of_several_recordings_is_what_each_of_them_is_alone(engine: Whisper) -> None:
    scenes = [scene(ENGLISH[i : i + 2] + SPANISH[i : i + 1], start=10.0 * i) for i in range(4)]
    requests = [ask(one) for one in scenes] + [ask(scenes[0], "en")]
    for together, request in zip(engine.run(requests), requests, strict=True):
        alone = only(engine, request)
        assert isinstance(together, Transcription)
        assert (together.language, text(together)) == (alone.language, text(alone))
        # Sums in another order differ in their last digits.
        assert together.language_probability == pytest.approx(alone.language_probability, abs=1e-4)
        for one, other in zip(together.words, alone.words, strict=True):
            assert (one.start, one.end, one.language) == (other.start, other.end, other.language)
            assert one.probability == pytest.approx(other.probability, abs=1e-4)


def test_terms_reach_the_decoder_and_scenes_with_and_without_share_a_run(engine: Whisper) -> None:
    plain = ask(scene(ENGLISH[:1]))
    hinted = replace(plain, terms=("river", "castle"))
    seen = []
    decoder = engine._decoder
    assert decoder is not None
    generate = decoder._generate

    def spy(encoded: object, prompts: list[list[int]], **how: object) -> object:
        seen.extend(prompts)
        return generate(encoded, prompts, **how)

    decoder._generate = spy  # type: ignore[method-assign]
    try:
        outcomes = engine.run([plain, hinted])
    finally:
        decoder._generate = generate  # type: ignore[method-assign]
    assert text(outcomes[0]) == ENGLISH[0].text
    tokenizer = decoder._tokenizer("en")
    prompts = {tokenizer.tokenizer.decode(prompt, skip_special_tokens=True).strip() for prompt in seen}
    assert "river, castle" in prompts


def test_noise_that_was_taken_for_speech_gives_no_words(engine: Whisper) -> None:
    noise = np.random.default_rng(5).normal(0, 0.01, 3 * ANALYSIS_RATE).astype(np.float32)
    silence = np.zeros(3 * ANALYSIS_RATE, np.float32)
    for samples in (noise, silence):
        said = only(engine, TranscriptionRequest(Clip(samples, ANALYSIS_RATE, 7.0), (Span(7.2, 9.5),)))
        assert said.words == ()


def test_a_bad_request_costs_nobody_else_anything(engine: Whisper) -> None:
    good = ask(scene(ENGLISH[:1]))
    broken = Clip(np.full(ANALYSIS_RATE, np.nan, np.float32), ANALYSIS_RATE)
    requests = [
        good,
        TranscriptionRequest(broken, (Span(0, 1),)),
        replace(good, clip=replace(good.clip, rate=8000)),
        replace(good, language="tlh"),
        replace(good, speech=()),
        good,
    ]
    first, nan, rate, klingon, quiet, last = engine.run(requests)
    assert isinstance(first, Transcription)
    assert text(first) == ENGLISH[0].text
    assert last == first
    assert [error.code for error in (nan, rate, klingon) if isinstance(error, EngineError)] == [
        "invalid_request",
        "invalid_request",
        "unsupported_language",
    ]
    assert quiet == Transcription((), None, 0.0)


def test_it_says_who_it_is_and_what_is_missing(options: EngineOptions, tmp_path: Path) -> None:
    engine = Whisper(options)
    assert engine.info.identity == Whisper(options).info.identity
    assert (
        engine.info.identity != Whisper(replace(options, parameters={**options.parameters, "beam": "2"})).info.identity
    )
    assert engine.languages() >= {"en", "es", "ca", "jv", "yue"}
    with pytest.raises(EngineError, match=r"dubflow models fetch transcription\.whisper") as missing:
        Whisper(EngineOptions(models=tmp_path)).load()
    assert missing.value.code == "model_missing"
