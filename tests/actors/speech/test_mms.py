"""The real library on networks whose letters all sound equally long."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.speech import SpeechRequest
from actors.speech.mms import Mms
from tests.fixtures.checkpoints.mms import FRAMES_A_TOKEN, RATE, SAMPLES_A_FRAME, mms_checkpoint
from tests.fixtures.synthesis import said

HELLO = SpeechRequest("hola a todos", "es", "mms")


@pytest.fixture(scope="module")
def engine() -> Iterator[Mms]:
    engine = Mms(EngineOptions(parameters={"model": str(mms_checkpoint()), "languages": "es,ca"}))
    engine.check()
    engine.load()
    yield engine
    engine.close()


def seconds_of(letters: int, rate: float = 1.0) -> float:
    """Between all letters, before the first and after the last one there is a blank."""
    return (2 * letters + 1) * np.ceil(FRAMES_A_TOKEN / rate) * SAMPLES_A_FRAME / RATE


@pytest.mark.models
@pytest.mark.parametrize("text", ["sí", "hola a todos", "nos vemos en la plaza mayor"])
def test_every_letter_is_said(engine: Mms, text: str) -> None:
    speech = said(engine.run([replace(HELLO, text=text)])[0])
    assert speech.sample_rate == RATE
    assert speech.seconds == pytest.approx(seconds_of(len(text)), abs=0.1)


@pytest.mark.models
def test_numbers_are_said_as_words(engine: Mms) -> None:
    digits, words = engine.run([replace(HELLO, text="son 21"), replace(HELLO, text="son veintiuno")])
    assert np.array_equal(said(digits).samples, said(words).samples)


@pytest.mark.models
def test_the_rate_changes_the_length(engine: Mms) -> None:
    quick, natural, slow = (
        said(outcome).seconds for outcome in engine.run([replace(HELLO, rate=rate) for rate in (1.5, 1.0, 0.6)])
    )
    assert quick == pytest.approx(seconds_of(12, 1.5), abs=0.1)
    assert slow == pytest.approx(seconds_of(12, 0.6), abs=0.1)
    assert quick < natural < slow


@pytest.mark.models
def test_each_language_has_its_network_and_the_same_line_always_sounds_the_same(engine: Mms) -> None:
    spanish, catalan, again, mexican = map(
        said,
        engine.run([HELLO, replace(HELLO, language="ca"), HELLO, replace(HELLO, language="es-MX")]),
    )
    assert np.array_equal(spanish.samples, again.samples)
    assert np.array_equal(spanish.samples, mexican.samples)
    length = min(len(spanish.samples), len(catalan.samples))
    assert not np.allclose(spanish.samples[:length], catalan.samples[:length])


@pytest.mark.models
def test_what_cannot_be_said_costs_its_own_request(engine: Mms) -> None:
    outcomes = engine.run(
        [
            HELLO,
            replace(HELLO, language="fr"),
            replace(HELLO, voice="nobody"),
            replace(HELLO, text="ћћ"),
            replace(HELLO, text=" "),
            HELLO,
        ]
    )
    assert [outcome.code if isinstance(outcome, EngineError) else "" for outcome in outcomes] == [
        "",
        "unsupported_language",
        "invalid_request",
        "engine_failed",
        "engine_failed",
        "",
    ]


def test_it_speaks_the_languages_that_it_is_set_up_for() -> None:
    engine = Mms(EngineOptions(parameters={"languages": "eu, ca"}))
    assert engine.languages() == {"eu", "ca"}
    assert [spec.source for spec in engine.info.needs] == ["facebook/mms-tts-eus", "facebook/mms-tts-cat"]
    assert len(engine.voices("eu")) == 1
    assert engine.voices("es") == ()
    assert not engine.info.commercial_use


def test_a_language_that_is_none_is_told_so() -> None:
    with pytest.raises(EngineError, match="no language: !!") as refused:
        Mms(EngineOptions(parameters={"languages": "es,!!"}))
    assert refused.value.code == "invalid_request"


@pytest.mark.models
def test_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"dubflow models fetch speech\.mms") as missing:
        Mms(EngineOptions(models=tmp_path)).check()
    assert missing.value.code == "model_missing"


@pytest.mark.models
def test_a_file_that_is_no_network_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "spa").mkdir()
    for name in ("config.json", "model.safetensors", "vocab.json", "tokenizer_config.json"):
        (tmp_path / "spa" / name).write_text("no")
    engine = Mms(EngineOptions(parameters={"model": str(tmp_path), "languages": "es"}))
    engine.load()
    (failed,) = engine.run([HELLO])
    assert isinstance(failed, EngineError)
    assert failed.code == "model_load_failed"
