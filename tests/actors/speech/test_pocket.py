"""The real library on networks, made by hand, that say one frame of sound for every letter."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.contracts.audio import Clip
from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.speech import SpeechRequest
from actors.contracts.voices import Gender
from actors.speech import pocket_languages
from actors.speech.pocket import Pocket
from tests.fixtures.checkpoints.pocket import RATE, SAMPLES_A_LETTER, pocket_checkpoint
from tests.fixtures.synthesis import heard, said, same

HELLO = SpeechRequest("Hola a todos.", "es", "lola")


def options(**parameters: str) -> EngineOptions:
    return EngineOptions(parameters={"model": str(pocket_checkpoint()), "languages": "es,de", **parameters})


@pytest.fixture(scope="module")
def engine() -> Iterator[Pocket]:
    engine = Pocket(options())
    engine.check()
    engine.load()
    yield engine
    engine.close()


@pytest.mark.models
@pytest.mark.parametrize("text", ["Hola a todos.", "Nos vemos en la plaza mayor.", "Sí. No. Quizás. Puede ser."])
def test_every_letter_is_said_without_silent_edges(engine: Pocket, text: str) -> None:
    speech = said(engine.run([replace(HELLO, text=text)])[0])
    assert speech.sample_rate == RATE
    assert len(speech.samples) / SAMPLES_A_LETTER == pytest.approx(len(text), abs=0.2)
    assert np.abs(speech.samples).max() > 0.01


@pytest.mark.models
def test_a_text_may_be_longer_than_the_library_says_at_once(engine: Pocket) -> None:
    sentences = [f"Esta es la frase {name} de todas." for name in ("primera", "segunda", "tercera")]
    speech = said(engine.run([replace(HELLO, text=" ".join(sentences))])[0])
    assert len(speech.samples) / SAMPLES_A_LETTER == pytest.approx(sum(map(len, sentences)), abs=3)


@pytest.mark.models
def test_what_is_written_short_is_said_in_full(engine: Pocket) -> None:
    short, full = engine.run([replace(HELLO, text="Son 21 km."), replace(HELLO, text="Son veintiún kilómetros.")])
    assert np.array_equal(said(short).samples, said(full).samples)


@pytest.mark.models
def test_the_same_line_sounds_the_same_in_any_company(engine: Pocket) -> None:
    (alone,) = map(said, engine.run([HELLO]))
    _, together = map(said, engine.run([replace(HELLO, text="Otra cosa."), HELLO]))
    engine._voices.clear()
    (afresh,) = map(said, engine.run([HELLO]))
    assert np.array_equal(alone.samples, together.samples)
    assert np.array_equal(alone.samples, afresh.samples)


@pytest.mark.models
def test_words_voices_and_languages_change_what_is_heard(engine: Pocket) -> None:
    own, other = replace(HELLO, voice="own-1", reference=heard()), replace(HELLO, voice="own-2", reference=heard(4.0))
    woman, man, words, german, cloned, again, another = map(
        said,
        engine.run(
            [
                HELLO,
                replace(HELLO, voice="george"),
                replace(HELLO, text="Hasta luego."),
                replace(HELLO, language="de", voice="alba"),
                *(own, own, other),
            ]
        ),
    )
    for changed in (man, words, german, cloned):
        assert not same(woman, changed)
    assert not same(cloned, another)
    assert np.array_equal(cloned.samples, again.samples)


@pytest.mark.models
def test_voices_that_were_learned_are_not_kept_without_end(engine: Pocket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine._voices, "most", 3)
    engine._voices.clear()
    for i in range(5):
        said(engine.run([replace(HELLO, text="Sí.", voice=f"own-{i}", reference=heard())])[0])
    assert [voice for _, voice in engine._voices] == ["own-2", "own-3", "own-4"]


@pytest.mark.models
def test_what_cannot_be_said_costs_its_own_request(engine: Pocket) -> None:
    outcomes = engine.run(
        [
            HELLO,
            replace(HELLO, language="fr"),
            replace(HELLO, voice="nobody"),
            replace(HELLO, text=" … "),
            replace(HELLO, voice="silent", reference=Clip(np.zeros(16_000, np.float32), 16_000)),
            replace(HELLO, voice="empty", reference=Clip(np.zeros(0, np.float32), 16_000)),
            HELLO,
        ]
    )
    assert [outcome.code if isinstance(outcome, EngineError) else "" for outcome in outcomes] == [
        "",
        "unsupported_language",
        "invalid_request",
        "engine_failed",
        "engine_failed",
        "engine_failed",
        "",
    ]


@pytest.mark.models
def test_a_text_without_an_end_is_given_up(engine: Pocket) -> None:
    said(engine.run([HELLO])[0])
    ends: Any = engine._networks["es"].flow_lm.out_eos.bias
    ends.data.sub_(100)
    try:
        (endless,) = engine.run([replace(HELLO, text="Sí.")])
    finally:
        ends.data.add_(100)
    assert isinstance(endless, EngineError)
    assert "maximum length" in str(endless)


@pytest.mark.models
def test_networks_that_anybody_may_have_do_not_clone() -> None:
    engine = Pocket(options(cloning="no"))
    assert not engine.clones
    engine.load()
    stock, cloned = engine.run([HELLO, replace(HELLO, voice="own-1", reference=heard())])
    assert said(stock).seconds > 0
    assert isinstance(cloned, EngineError)
    assert cloned.code == "invalid_request"


@pytest.mark.models
def test_its_weights_are_those_that_the_library_was_released_with() -> None:
    import yaml
    from pocket_tts.utils.config import CONFIGS_DIR
    from pocket_tts.utils.utils import _ORIGINS_OF_PREDEFINED_VOICES, get_predefined_voice

    def address(spec: Any) -> str:
        return f"hf://{spec.source}/{spec.files[0]}@{spec.revision}"

    for tag, language in pocket_languages.LANGUAGES.items():
        config = yaml.safe_load((CONFIGS_DIR / f"{language.name}.yaml").read_text())
        cloning, opened = (
            Pocket(EngineOptions(parameters={"languages": tag, "cloning": wanted})).info.needs
            for wanted in ("yes", "no")
        )
        assert address(cloning[0]) == config["weights_path"]
        assert address(opened[0]) == config["weights_path_without_voice_cloning"]
        assert address(cloning[1]) == config["flow_lm"]["lookup_table"]["tokenizer_path"]
        assert address(cloning[2]) == get_predefined_voice(language.name, pocket_languages.voices(tag)[0])
        assert set(pocket_languages.voices(tag)) <= _ORIGINS_OF_PREDEFINED_VOICES.keys()


def test_a_language_offers_its_own_voices_first_and_enough_of_both_genders() -> None:
    offers = Pocket(EngineOptions()).voices("es-MX")
    assert offers[0].id == "lola"
    assert offers[0].accent is None
    assert {offer.accent for offer in offers[1:]} == {"en"}
    assert {offer.accent for offer in Pocket(EngineOptions()).voices("en-GB")} == {None}
    for gender in (Gender.FEMALE, Gender.MALE):
        assert sum(offer.gender is gender for offer in offers) >= 8
    assert Pocket(EngineOptions()).voices("ja") == ()


def test_it_may_be_used_for_money_and_speaks_what_it_is_set_up_for() -> None:
    engine = Pocket(EngineOptions(parameters={"languages": "es, fr"}))
    assert engine.info.commercial_use
    assert engine.clones
    assert engine.languages() == {"es", "fr"}
    assert len(engine.info.needs) == 6
    assert engine.info.identity == Pocket(EngineOptions()).info.identity
    with pytest.raises(EngineError, match="does not speak ja") as refused:
        Pocket(EngineOptions(parameters={"languages": "es,ja"}))
    assert refused.value.code == "invalid_request"


@pytest.mark.models
def test_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"dubflow models fetch speech\.pocket") as missing:
        Pocket(EngineOptions(models=tmp_path)).check()
    assert missing.value.code == "model_missing"


@pytest.mark.models
def test_a_file_that_is_no_network_is_told_so(tmp_path: Path) -> None:
    place = tmp_path / "languages" / "spanish"
    (place / "embeddings").mkdir(parents=True)
    for name in ("model", *(f"embeddings/{voice}" for voice in pocket_languages.voices("es"))):
        (place / f"{name}.safetensors").write_bytes(b"no")
    (place / "tokenizer.json").write_bytes(b"no")
    engine = Pocket(EngineOptions(parameters={"model": str(tmp_path), "languages": "es"}))
    engine.load()
    (failed,) = engine.run([HELLO])
    assert isinstance(failed, EngineError)
    assert failed.code == "model_load_failed"
