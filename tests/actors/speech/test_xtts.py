"""The real library on a small checkpoint: two codes for every letter, in batches as one by one."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.contracts.audio import Clip
from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.speech import Speech, SpeechRequest
from actors.contracts.voices import Gender
from actors.speech import xtts_languages
from actors.speech.xtts import Xtts
from actors.speech.xtts_languages import LETTERS, pieces
from actors.speech.xtts_vocoder import XttsVocoder
from tests.fixtures.checkpoints.xtts import CODES_A_TOKEN, SPEAKERS, xtts_checkpoint
from tests.fixtures.synthesis import heard, said

WOMAN, MAN = SPEAKERS
HELLO = SpeechRequest("hola, buenos dias", "es", WOMAN)
LINES = (
    HELLO,
    SpeechRequest("nos vemos en la plaza", "es", MAN),
    SpeechRequest("good morning to all of you", "en", WOMAN),
    SpeechRequest("si", "es", MAN),
)


def opened(temperature: str) -> Xtts:
    engine = Xtts(EngineOptions(parameters={"model": str(xtts_checkpoint()), "temperature": temperature}))
    engine.check()
    engine.load()
    return engine


@pytest.fixture(scope="module")
def engine() -> Iterator[Xtts]:
    engine = opened("0")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def drawing() -> Iterator[Xtts]:
    """An engine that draws its codes, as the real one does."""
    engine = opened("0.7")
    yield engine
    engine.close()


def codes(engine: Xtts, request: SpeechRequest) -> int:
    """How many codes its model writes for a request, without the one that ends them."""
    (part,) = engine._parts(0, request)
    (decoded,) = engine._decoder.decode([part.prompt])
    assert decoded.ended
    return len(decoded.latents) - 1


@pytest.mark.models
@pytest.mark.parametrize("text", ["si", "hola a todos", "nos vemos en la plaza mayor"])
def test_every_letter_is_said(engine: Xtts, text: str) -> None:
    tokens = engine._model.tokenizer.encode(text, lang="es")
    assert codes(engine, replace(HELLO, text=text)) == pytest.approx(CODES_A_TOKEN * len(tokens), abs=2)


@pytest.mark.models
def test_numbers_are_written_out_in_the_language_first(engine: Xtts) -> None:
    assert codes(engine, replace(HELLO, text="son 20")) == codes(engine, replace(HELLO, text="son veinte"))


@pytest.mark.models
def test_it_says_what_the_library_says_one_by_one(engine: Xtts) -> None:
    model = engine._model
    parts = [part for i, line in enumerate(LINES) for part in engine._parts(i, line)]
    together = engine._say(parts)
    for line, part, wave in zip(LINES, parts, together, strict=True):
        alone: Any = model.inference(
            line.text,
            line.language,
            part.voice.conditioning,
            part.voice.embedding,
            do_sample=False,
            repetition_penalty=float(model.config.repetition_penalty),
        )["wav"]
        assert wave is not None
        assert len(wave) == len(alone)
        assert np.abs(alone).max() > 0.01
        assert np.abs(wave - alone).max() < 1e-3 * np.abs(alone).max()


@pytest.mark.models
def test_the_vocoder_s_batches_sound_as_one_by_one(engine: Xtts) -> None:
    parts = [part for i, line in enumerate(LINES) for part in engine._parts(i, line)]
    latents = [decoded.latents for decoded in engine._decoder.decode([part.prompt for part in parts])]
    speakers, rates = [part.voice.embedding for part in parts], [1.0, 1.2, 1.0, 0.9]
    decoder = engine._model.hifigan_decoder
    together = XttsVocoder(decoder, together=True).speak(latents, speakers, rates)
    alone = XttsVocoder(decoder, together=False).speak(latents, speakers, rates)
    for rate, code, one, other in zip(rates, latents, together, alone, strict=True):
        assert one.shape == other.shape
        assert float((one - other).abs().max()) < 1e-3 * float(other.abs().max())
        if rate == 1:
            assert len(one) == 256 * int(4 * len(code) * 24000 / 22050)


@pytest.mark.models
@pytest.mark.parametrize("fixture", ["engine", "drawing"])
def test_company_changes_nothing(fixture: str, request: pytest.FixtureRequest) -> None:
    engine: Xtts = request.getfixturevalue(fixture)
    together = [said(outcome) for outcome in engine.run(LINES)]
    for line, one in zip(LINES, together, strict=True):
        (alone,) = map(said, engine.run([line]))
        assert len(alone.samples) == len(one.samples)
        assert np.abs(alone.samples - one.samples).max() < 1e-3 * np.abs(alone.samples).max()


@pytest.mark.models
def test_drawn_codes_differ_from_the_likeliest_and_are_the_same_again(engine: Xtts, drawing: Xtts) -> None:
    (likeliest,), (first,), (second,) = engine.run([HELLO]), drawing.run([HELLO]), drawing.run([HELLO])
    assert np.array_equal(said(first).samples, said(second).samples)
    assert not np.array_equal(said(likeliest).samples, said(first).samples)


@pytest.mark.models
def test_the_rate_is_kept_to(engine: Xtts) -> None:
    natural, quick, slow = (
        said(outcome).seconds for outcome in engine.run([HELLO, replace(HELLO, rate=1.25), replace(HELLO, rate=0.8)])
    )
    assert quick == pytest.approx(natural / 1.25, rel=0.05)
    assert slow == pytest.approx(natural / 0.8, rel=0.05)


@pytest.mark.models
def test_voices_differ_and_a_person_s_own_voice_is_learnt_from_what_is_heard(engine: Xtts) -> None:
    own = replace(HELLO, voice="own-1", reference=heard(seconds=8.0))
    other = Clip(heard(seconds=8.0).samples[::-1].copy(), 16_000)
    woman, man, cloned, again, another = map(
        said,
        engine.run([HELLO, replace(HELLO, voice=MAN), own, own, replace(HELLO, voice="own-2", reference=other)]),
    )
    for one, two in ((woman, man), (woman, cloned), (cloned, another)):
        length = min(len(one.samples), len(two.samples))
        assert not np.allclose(one.samples[:length], two.samples[:length], atol=1e-3)
    assert np.array_equal(cloned.samples, again.samples)


@pytest.mark.models
def test_a_long_text_is_said_in_parts(engine: Xtts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xtts_languages, "LETTERS", {**LETTERS, "es": 30})
    clause = "hola a todos los amigos, "
    once, long = (said(outcome).seconds for outcome in engine.run([replace(HELLO, text=clause * n) for n in (1, 4)]))
    assert long == pytest.approx(4 * once + 3 * 0.12, rel=0.1)


@pytest.mark.models
def test_what_cannot_be_said_costs_its_own_request(engine: Xtts) -> None:
    too_short = Clip(heard(seconds=8.0).samples[:2000], 16_000)
    outcomes = engine.run(
        [
            HELLO,
            replace(HELLO, language="ja"),
            replace(HELLO, voice="nobody"),
            replace(HELLO, text="  "),
            replace(HELLO, voice="own-3", reference=too_short),
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


@pytest.mark.models
def test_a_text_without_an_end_is_ended_and_told(engine: Xtts, monkeypatch: pytest.MonkeyPatch) -> None:
    from actors.speech.xtts_decoder import Prompt

    monkeypatch.setattr(Prompt, "most_codes", property(lambda prompt: 20 if prompt.characters > 5 else 200))
    endless, short = engine.run([HELLO, replace(HELLO, text="si")])
    assert isinstance(endless, EngineError)
    assert "no end" in str(endless)
    assert isinstance(short, Speech)


def test_a_language_offers_voices_of_both_genders() -> None:
    offers = Xtts(EngineOptions()).voices("es-MX")
    for gender in (Gender.FEMALE, Gender.MALE):
        assert sum(offer.gender is gender for offer in offers) >= 8
    assert len({offer.id for offer in offers}) == len(offers)
    assert Xtts(EngineOptions()).voices("ja") == ()


def test_its_weights_are_not_for_paid_use() -> None:
    info = Xtts(EngineOptions()).info
    assert not info.commercial_use
    assert Xtts(EngineOptions()).clones


@pytest.mark.parametrize("language", LETTERS)
def test_texts_are_parted_after_punctuation_and_lose_nothing(language: str) -> None:
    text = "Uno, dos; tres: cuatro. " * 40 + "x" * 500
    parts = list(pieces(text, language))
    assert max(map(len, parts)) <= LETTERS[language]
    assert "".join(parts).replace(" ", "") == text.replace(" ", "")
    assert all(part[-1] in ",;:." for part in parts if "x" not in part)
    assert list(pieces("  ", language)) == []


@pytest.mark.models
def test_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"dubflow models fetch speech\.xtts") as missing:
        Xtts(EngineOptions(models=tmp_path)).check()
    assert missing.value.code == "model_missing"


@pytest.mark.models
def test_files_that_are_no_networks_are_told_so(tmp_path: Path) -> None:
    for name in ("config.json", "model.pth", "vocab.json", "speakers_xtts.pth"):
        (tmp_path / name).write_bytes(b"no")
    with pytest.raises(EngineError) as failed:
        Xtts(EngineOptions(parameters={"model": str(tmp_path)})).load()
    assert failed.value.code == "model_load_failed"
