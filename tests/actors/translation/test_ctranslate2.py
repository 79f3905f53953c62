"""The real runtime on a small OPUS-MT model that knows five sentences."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.translation import Line, Translation, TranslationRequest
from actors.translation.ctranslate2 import CTranslate2
from tests.fixtures.checkpoints.marian import TRANSLATIONS, marian_checkpoint

pytestmark = pytest.mark.models


@pytest.fixture(scope="module", params=["float32", "int8"])
def engine(request: pytest.FixtureRequest) -> Iterator[CTranslate2]:
    parameters = {"model": str(marian_checkpoint()), "family": "opus", "pair": "en-es", "compute_type": request.param}
    engine = CTranslate2(EngineOptions(parameters=parameters))
    engine.check()
    engine.load()
    yield engine
    engine.close()


def ask(*texts: str, characters: int = 0) -> TranslationRequest:
    lines = tuple(Line(f"u{i}", "S1", text, 3.0, characters) for i, text in enumerate(texts))
    return TranslationRequest("en", "es", lines)


def texts(outcome: Translation | EngineError) -> list[str]:
    assert isinstance(outcome, Translation), outcome
    return [line.text for line in outcome.lines]


def test_lines_are_translated_right(engine: CTranslate2) -> None:
    (outcome,) = engine.run([ask(*TRANSLATIONS)])
    assert texts(outcome) == list(TRANSLATIONS.values())


def test_passages_translated_together_are_what_each_is_alone(engine: CTranslate2) -> None:
    sources = list(TRANSLATIONS)
    requests = [ask(*sources[:2]), ask(), ask(sources[4]), ask(*sources)]
    assert list(engine.run(requests)) == [engine.run([request])[0] for request in requests]


def test_a_line_that_is_too_long_comes_with_a_shorter_one_if_there_is_one(engine: CTranslate2) -> None:
    source = next(iter(TRANSLATIONS))
    (long,) = engine.run([ask(source, characters=5)])
    (fits,) = engine.run([ask(source, characters=200)])
    assert isinstance(long, Translation)
    assert isinstance(fits, Translation)
    assert long.lines[0].text == fits.lines[0].text == TRANSLATIONS[source]
    assert fits.lines[0].concise is None
    assert long.lines[0].concise is None or len(long.lines[0].concise) < len(long.lines[0].text)


def test_a_pair_that_it_does_not_have_costs_one_passage(engine: CTranslate2) -> None:
    sources = list(TRANSLATIONS)
    french, good = engine.run([replace(ask(sources[0]), target_language="fr"), ask(sources[0])])
    assert isinstance(french, EngineError)
    assert french.code == "unsupported_language"
    assert texts(good) == [TRANSLATIONS[sources[0]]]


def test_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"dubflow models fetch translation\.ctranslate2") as missing:
        CTranslate2(EngineOptions(models=tmp_path)).check()
    assert missing.value.code == "model_missing"
