"""The real library, with its real pronunciation, on a network whose sounds all last equally long."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.speech import Speech, SpeechRequest
from actors.contracts.voices import Gender
from actors.speech.kokoro import Kokoro
from tests.fixtures.checkpoints.kokoro import PITCHES, RATE, SAMPLES_A_SOUND, kokoro_checkpoint

HELLO = SpeechRequest("Hola, buenos días a todos.", "es", "ef_dora")


@pytest.fixture(scope="module")
def engine() -> Iterator[Kokoro]:
    engine = Kokoro(EngineOptions(parameters={"model": str(kokoro_checkpoint())}))
    engine.check()
    engine.load()
    yield engine
    engine.close()


def say(engine: Kokoro, request: SpeechRequest) -> Speech:
    (outcome,) = engine.run([request])
    assert isinstance(outcome, Speech), outcome
    return outcome


def sounds(speech: Speech) -> int:
    """How many sounds were said; the library trims what is silent at the edges, less than half a sound here."""
    return round(len(speech.samples) / SAMPLES_A_SOUND)


def pitch(speech: Speech) -> float:
    spectrum = np.abs(np.fft.rfft(speech.samples))
    return float(np.argmax(spectrum) * speech.sample_rate / len(speech.samples))


@pytest.mark.models
def test_every_sound_of_a_text_is_said_in_the_voice_that_was_asked_for(engine: Kokoro) -> None:
    for voice, expected in PITCHES.items():
        speech = say(engine, replace(HELLO, voice=voice))
        assert speech.sample_rate == RATE
        assert pitch(speech) == pytest.approx(expected, abs=2)
    assert sounds(say(engine, HELLO)) > len("holabuenosdíasatodos")


@pytest.mark.models
def test_twice_the_text_lasts_twice_as_long(engine: Kokoro) -> None:
    once = sounds(say(engine, replace(HELLO, text="Buenos días")))
    twice = sounds(say(engine, replace(HELLO, text="Buenos días buenos días")))
    assert twice == pytest.approx(2 * once, abs=3)


@pytest.mark.models
def test_languages_pronounce_the_same_letters_differently(engine: Kokoro) -> None:
    spanish = sounds(say(engine, SpeechRequest("beaucoup", "es", "af_heart")))
    french = sounds(say(engine, SpeechRequest("beaucoup", "fr", "af_heart")))
    assert spanish > french


@pytest.mark.models
@pytest.mark.parametrize("rate", [0.5, 0.8, 1.25, 2.0])
def test_the_rate_is_kept_to(engine: Kokoro, rate: float) -> None:
    natural, spoken = say(engine, HELLO), say(engine, replace(HELLO, rate=rate))
    assert spoken.seconds == pytest.approx(natural.seconds / rate, rel=0.02)


@pytest.mark.models
def test_numbers_are_spoken(engine: Kokoro) -> None:
    assert sounds(say(engine, replace(HELLO, text="1984"))) > 15
    short, full = (say(engine, replace(HELLO, text=text)) for text in ("El 3/5/2024", "El tres de mayo de 2024"))
    assert np.array_equal(short.samples, full.samples)


@pytest.mark.models
def test_what_cannot_be_said_costs_its_own_request(engine: Kokoro) -> None:
    outcomes = engine.run(
        [
            HELLO,
            replace(HELLO, language="ja"),
            replace(HELLO, voice="nobody"),
            replace(HELLO, text=" "),
            HELLO,
        ]
    )
    assert [outcome.code if isinstance(outcome, EngineError) else "" for outcome in outcomes] == [
        "",
        "unsupported_language",
        "invalid_request",
        "engine_failed",
        "",
    ]


def test_a_language_offers_its_own_voices_first_and_enough_of_both_genders() -> None:
    offers = Kokoro(EngineOptions()).voices("es-MX")
    assert [offer.id for offer in offers[:3]] == ["ef_dora", "em_alex", "em_santa"]
    assert all(offer.accent is None for offer in offers[:3])
    assert all(offer.accent == "en-US" for offer in offers[3:])
    for gender in (Gender.FEMALE, Gender.MALE):
        assert sum(offer.gender is gender for offer in offers) >= 8
    assert len({offer.id for offer in offers}) == len(offers)
    assert Kokoro(EngineOptions()).voices("ja") == ()


@pytest.mark.models
def test_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"dubflow models fetch speech\.kokoro") as missing:
        Kokoro(EngineOptions(models=tmp_path)).check()
    assert missing.value.code == "model_missing"


@pytest.mark.models
def test_a_file_that_is_no_network_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "kokoro-v1.0.onnx").write_bytes(b"no")
    (tmp_path / "voices-v1.0.bin").write_bytes(b"no")
    with pytest.raises(EngineError) as failed:
        Kokoro(EngineOptions(parameters={"model": str(tmp_path)})).load()
    assert failed.value.code == "model_load_failed"
