"""The real library on small, untrained networks: short noises whose length and sound follow from text and voice."""

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
from actors.speech.voxcpm import VoxCpm
from tests.fixtures.checkpoints.voxcpm import FEWEST_PATCHES, RATE, SAMPLES_A_PATCH, voxcpm_checkpoint
from tests.fixtures.synthesis import heard, said, same

HELLO = SpeechRequest("hola a todos", "es", "woman1")


@pytest.fixture(scope="module")
def engine() -> Iterator[VoxCpm]:
    engine = VoxCpm(EngineOptions(parameters={"model": str(voxcpm_checkpoint()), "steps": "4"}))
    engine.check()
    engine.load()
    yield engine
    engine.close()


@pytest.mark.models
def test_what_the_library_says_is_passed_on_without_its_silent_edges(engine: VoxCpm) -> None:
    speech = said(engine.run([HELLO])[0])
    assert speech.sample_rate == RATE
    assert 0 < len(speech.samples) <= 20 * FEWEST_PATCHES * SAMPLES_A_PATCH
    assert np.abs(speech.samples).max() > 0


@pytest.mark.models
def test_what_is_written_short_is_said_in_full(engine: VoxCpm) -> None:
    short, full = engine.run([replace(HELLO, text="son 21 km"), replace(HELLO, text="son veintiún kilómetros")])
    assert np.array_equal(said(short).samples, said(full).samples)


@pytest.mark.models
def test_the_same_line_sounds_the_same_in_any_company(engine: VoxCpm) -> None:
    company = [replace(HELLO, text="otra cosa " * i) for i in (1, 2, 3)]
    (alone,) = map(said, engine.run([HELLO]))
    *_, together = map(said, engine.run([*company, HELLO]))
    assert len(alone.samples) == len(together.samples)
    assert same(alone, together)


@pytest.mark.models
def test_words_and_voices_change_what_is_heard(engine: VoxCpm) -> None:
    own, other = replace(HELLO, voice="own-1", reference=heard()), replace(HELLO, voice="own-2", reference=heard(4.0))
    woman, man, words, cloned, again, another = map(
        said,
        engine.run([HELLO, replace(HELLO, voice="man1"), replace(HELLO, text="hasta luego"), own, own, other]),
    )
    assert not same(woman, man)
    assert not same(woman, words)
    assert not same(woman, cloned)
    assert not same(cloned, another)
    assert same(cloned, again)


@pytest.mark.models
def test_an_invented_voice_is_the_same_whenever_it_is_invented(engine: VoxCpm) -> None:
    (first,) = map(said, engine.run([HELLO]))
    engine._voices.clear()
    (second,) = map(said, engine.run([HELLO]))
    assert same(first, second)


@pytest.mark.models
def test_what_cannot_be_said_costs_its_own_request(engine: VoxCpm) -> None:
    outcomes = engine.run(
        [
            HELLO,
            replace(HELLO, language="ca"),
            replace(HELLO, voice="nobody"),
            replace(HELLO, text=" "),
            replace(HELLO, voice="own-3", reference=Clip(np.zeros(0, np.float32), 16_000)),
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
def test_a_text_without_an_end_is_given_up(engine: VoxCpm) -> None:
    head: Any = engine._model.stop_head.weight
    stops = head.data.clone()
    head.data.zero_()
    try:
        (endless,) = engine.run([replace(HELLO, text="si")])
    finally:
        head.data.copy_(stops)
    assert isinstance(endless, EngineError)
    assert "no end" in str(endless)


def test_a_language_offers_voices_of_both_genders() -> None:
    offers = VoxCpm(EngineOptions()).voices("es-MX")
    for gender in (Gender.FEMALE, Gender.MALE):
        assert sum(offer.gender is gender for offer in offers) >= 8
    assert VoxCpm(EngineOptions()).voices("ca") == ()


def test_it_may_be_used_for_money() -> None:
    engine = VoxCpm(EngineOptions())
    assert engine.info.commercial_use
    assert engine.clones
    assert len(engine.languages()) == 30


@pytest.mark.models
def test_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"dubflow models fetch speech\.voxcpm") as missing:
        VoxCpm(EngineOptions(models=tmp_path)).check()
    assert missing.value.code == "model_missing"


@pytest.mark.models
def test_files_that_are_no_networks_are_told_so(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", "audiovae.pth", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"no")
    with pytest.raises(EngineError) as failed:
        VoxCpm(EngineOptions(parameters={"model": str(tmp_path)})).load()
    assert failed.value.code == "model_load_failed"
