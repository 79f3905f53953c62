"""The real library: a network written by hand whose answer is known, and one of random numbers for all else."""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.separation import Background, SeparationRequest, Stereo
from actors.separation.demucs import HTDEMUCS, Demucs
from tests.fixtures.checkpoints.demucs import SOURCES, by_hand, demucs_checkpoint, write_bag
from tests.fixtures.measured import Report
from tests.fixtures.speech import recording

RATE = 44_100


def loaded(folder: Path, **parameters: str) -> Demucs:
    engine = Demucs(EngineOptions(parameters={"model": str(folder), **parameters}))
    engine.load()
    return engine


@pytest.fixture(scope="module")
def engine() -> Iterator[Demucs]:
    engine = loaded(demucs_checkpoint())
    yield engine
    engine.close()


def tone(hertz: float, seconds: float, left: float, right: float) -> Stereo:
    wave = np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    return np.stack([left * wave, right * wave], axis=1).astype(np.float32)


def left_of(outcome: Background | EngineError) -> Stereo:
    assert isinstance(outcome, Background), outcome
    return outcome.sound


def power(sound: Stereo) -> float:
    return float(np.mean(np.square(sound, dtype=np.float64)))


@pytest.mark.models
def test_the_voice_goes_and_the_music_stays_as_it_was(engine: Demucs, report: Report) -> None:
    music = tone(1500, 7.3, 0.1, 0.02) + tone(3100, 7.3, 0.01, 0.2)
    voice = tone(220, 7.3, 0.3, 0.25)
    voice[: 2 * RATE] = voice[5 * RATE :] = 0
    (outcome,) = engine.run([SeparationRequest(music + voice)])
    rest = left_of(outcome) - music
    fallen, changed = 10 * np.log10(power(voice) / power(rest)), 10 * np.log10(power(rest) / power(music))
    report(f"demucs by hand: the voice falls by {fallen:.0f} dB; what is not the music is at {changed:.0f} dB of it")
    assert fallen > 40
    assert changed < -35


@pytest.mark.models
def test_what_people_really_sound_like_falls_too_as_far_as_it_is_low(engine: Demucs) -> None:
    clip = recording("jfk")
    speech = np.repeat(np.repeat(clip.samples, 3)[: 5 * RATE, None], 2, axis=1) * np.float32(0.5)
    music = tone(9000, 5, 0.05, 0.05)
    left = left_of(engine.run([SeparationRequest(speech + music)])[0])
    frequency = np.fft.rfftfreq(len(left), 1 / RATE)
    before, after = (np.abs(np.fft.rfft(one[:, 0])) ** 2 for one in (speech, left))
    low = (frequency > 80) & (frequency < 500)
    assert 10 * np.log10(before[low].sum() / after[low].sum()) > 25
    near = np.abs(frequency - 9000) < 5
    assert np.sqrt(after[near].max()) * 2 / len(left) == pytest.approx(0.05, rel=0.02)


@pytest.mark.models
@pytest.mark.parametrize("seconds", [0.0, 0.05, 1.5, 1.6, 12.0])
def test_the_background_is_as_long_as_the_scene(engine: Demucs, seconds: float) -> None:
    music = tone(2000, seconds, 0.1, 0.1)
    left = left_of(engine.run([SeparationRequest(music)])[0])
    assert left.shape == music.shape
    inside = slice(200, -200)
    np.testing.assert_allclose(left[inside], music[inside], atol=0.01)


@pytest.mark.models
def test_silence_stays_silent(engine: Demucs) -> None:
    silence = np.zeros((RATE, 2), np.float32)
    np.testing.assert_array_equal(left_of(engine.run([SeparationRequest(silence)])[0]), silence)


def random_network(seed: int) -> Any:
    import torch
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(seed)
    return HTDemucs(
        SOURCES, channels=8, depth=4, t_layers=2, t_heads=2, segment=Fraction(1), bottom_channels=16, dconv_init=0.5
    )


@pytest.mark.models
def test_a_batch_of_scenes_gives_what_each_scene_alone_gives(tmp_path: Path) -> None:
    write_bag(tmp_path, [random_network(1)])
    rng = np.random.default_rng(0)
    scenes = [
        SeparationRequest((level * rng.standard_normal((round(seconds * RATE), 2))).astype(np.float32))
        for seconds, level in ((2.3, 0.2), (0.4, 0.01), (1.0, 0.5))
    ]
    together = [left_of(outcome) for outcome in loaded(tmp_path, batch="3").run(scenes)]
    lone = loaded(tmp_path, batch="1")
    for scene, left in zip(scenes, together, strict=True):
        alone = left_of(lone.run([scene])[0])
        # The network does something, and the same whoever is beside it.
        assert power(alone - scene.sound) > 1e-3 * power(scene.sound)
        np.testing.assert_allclose(left, alone, atol=2e-4 * np.abs(scene.sound).max())


@pytest.mark.models
def test_a_bag_is_asked_through_the_models_that_count_for_voices(tmp_path: Path) -> None:
    write_bag(tmp_path, [random_network(1), by_hand()], [[1.0, 0.0], [0.0, 1.0]])
    engine = loaded(tmp_path)
    assert len(engine._models) == 1
    sound = tone(220, 2, 0.2, 0.2) + tone(2000, 2, 0.1, 0.1)
    left = left_of(engine.run([SeparationRequest(sound)])[0])
    np.testing.assert_allclose(left, left_of(loaded(demucs_checkpoint()).run([SeparationRequest(sound)])[0]), atol=1e-5)


@pytest.mark.models
def test_bad_sound_costs_itself_only(engine: Demucs) -> None:
    music = tone(2000, 1, 0.1, 0.1)
    broken = music.copy()
    broken[100] = np.nan
    good, flat, bad = engine.run(
        [SeparationRequest(music), SeparationRequest(music[:, 0]), SeparationRequest(broken)]  # one channel, no number
    )
    np.testing.assert_allclose(left_of(good)[200:-200], music[200:-200], atol=0.01)
    assert isinstance(flat, EngineError)
    assert isinstance(bad, EngineError)
    assert "two channels" in str(flat)


@pytest.mark.models
@pytest.mark.parametrize(
    "described", [{"klass": "subprocess.Popen"}, {"klass": "demucs.hdemucs.HDemucs"}, {"structure": "{}"}, {}]
)
def test_files_that_name_anything_but_the_known_network_are_refused_unread(
    tmp_path: Path, described: dict[str, str]
) -> None:
    from safetensors.numpy import save_file

    ran = tmp_path / "ran"
    arguments = {"args": json.dumps([["touch", str(ran)]]), "kwargs": "{}"}
    save_file({"weight": np.zeros(1, np.float32)}, tmp_path / "0.safetensors", {**arguments, **described})
    (tmp_path / "bag.yaml").write_text('{"models": ["0"]}')
    with pytest.raises(EngineError) as refused:
        loaded(tmp_path)
    assert refused.value.code == "model_load_failed"
    assert not ran.exists()


@pytest.mark.models
def test_what_is_missing_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"dubflow models fetch separation\.demucs") as missing:
        Demucs(EngineOptions(models=tmp_path)).check()
    assert missing.value.code == "model_missing"
    with pytest.raises(EngineError, match="load the separator"):
        Demucs(EngineOptions(models=tmp_path)).run([])


def test_who_it_is_and_what_it_needs_is_known_without_the_library() -> None:
    engine = Demucs(EngineOptions())
    assert engine.rate == RATE
    assert engine.info.needs == (HTDEMUCS,)
    assert (engine.info.licence, engine.info.commercial_use) == ("MIT", True)
