from pathlib import Path
from typing import Any

import pytest

from cluster.errors import DubflowError, ErrorCode
from cluster.settings import Profile, Settings
from dataflow import engines
from dataflow.capacity import in_hand
from dataflow.planning import MOST_ROWS, check_engines, make_plan


def test_without_gpus_every_pool_runs_on_processors() -> None:
    plan = make_plan(Settings(profile=Profile.LITE))
    assert {pool.gpus for pool in plan.pools.values()} == {0.0}


def test_pools_whose_engines_use_gpus_are_placed_on_them() -> None:
    plan = make_plan(Settings(profile=Profile.GPU, gpus="4xH200"))
    on_gpus = {name for name, pool in plan.pools.items() if pool.gpus}
    assert on_gpus == {"separate", "diarize", "transcribe", "translate", "synthesize"}
    assert sum(pool.gpus for pool in plan.pools.values()) <= 1
    assert all(plan.pool(name).actors == 4 for name in on_gpus)


def test_processors_speak_with_a_neural_voice_where_there_is_one() -> None:
    speakers = engines.speakers(make_plan(Settings(profile=Profile.CPU, engines={})))
    assert [speakers.of(language).info.name for language in ("es", "de")] == ["kokoro", "espeak"]


def auto(home: Path, **changes: Any) -> Settings:
    """What `auto` finds where all engines that are required can work."""
    able = {"diarization": "acoustic", "transcription": "pocketsphinx", "translation": "apertium", "speech": "espeak"}
    return Settings(**{"profile": Profile.AUTO, "home": home, "engines": able, **changes})


def test_auto_does_without_what_is_optional_and_not_there(tmp_path: Path) -> None:
    plan = make_plan(auto(tmp_path))
    assert plan.profile == "cpu"
    assert "separation" not in plan.engines
    assert "separate" not in plan.pools
    check_engines(plan, auto(tmp_path), optional=True)
    explicit = auto(tmp_path, engines={**auto(tmp_path).engines, "separation": "demucs"})
    with pytest.raises(DubflowError) as missing:
        check_engines(make_plan(explicit), explicit, optional=True)
    assert missing.value.code is ErrorCode.MODEL_MISSING


@pytest.mark.models
def test_auto_takes_what_is_optional_where_it_is_there(tmp_path: Path) -> None:
    for name in ("bag.yaml", "0.safetensors"):
        (tmp_path / name).touch()
    plan = make_plan(auto(tmp_path, engine_parameters={"separation.demucs": {"model": str(tmp_path)}}))
    assert plan.engines["separation"] == "demucs"
    assert in_hand(plan, auto(tmp_path), "separate") > plan.pool("separate").rows


def test_a_missing_separator_stops_only_those_that_want_one(tmp_path: Path) -> None:
    settings = auto(tmp_path, profile=Profile.CPU)
    plan = make_plan(settings)
    check_engines(plan, settings)
    with pytest.raises(DubflowError, match="demucs"):
        check_engines(plan, settings, optional=True)


def test_all_that_is_missing_is_told_at_once_with_one_command(tmp_path: Path) -> None:
    settings = Settings(profile=Profile.CPU, home=tmp_path, engines={"speech": "espeak"})
    with pytest.raises(DubflowError) as missing:
        check_engines(make_plan(settings), settings)
    assert missing.value.code is ErrorCode.MODEL_MISSING
    for engine in ("diarization.wespeaker", "transcription.whisper", "translation.ctranslate2"):
        assert engine in missing.value.message
    assert missing.value.message.endswith("run: pip install 'dubflow[cpu]' && dubflow models fetch --profile cpu")


def test_gpus_change_nothing_for_engines_that_use_none() -> None:
    plan = make_plan(Settings(profile=Profile.LITE, gpus="4xH200"))
    assert plan.pools == make_plan(Settings(profile=Profile.LITE)).pools


def test_as_many_passages_are_in_hand_as_a_language_model_answers_at_once() -> None:
    parameters = {"translation.openai": {"url": "http://127.0.0.1:1/v1", "model": "m", "at_once": "24"}}
    chosen = Settings(profile=Profile.LITE, engines={"translation": "openai"}, engine_parameters=parameters)
    assert make_plan(chosen).pool("translate").rows == 24
    assert make_plan(Settings(profile=Profile.LITE)).pool("translate").rows == 2
    assert make_plan(Settings(profile=Profile.GPU, gpus="1xH200")).pool("translate").rows == MOST_ROWS


@pytest.mark.parametrize(
    "settings",
    [
        Settings(profile=Profile.LITE, engines={"translation": "nobody"}),
        Settings(profile=Profile.LITE, engines={"translation": "apertium,ctranslate2"}),
        Settings(profile=Profile.LITE, engines={"speech": "espeak,nobody"}),
        Settings(profile=Profile.LITE, engines={"speech": ""}),
        Settings(profile=Profile.LITE, gpus="4xH200,2xL4"),
        Settings(profile=Profile.GPU, gpus="1xT4"),
    ],
)
def test_what_cannot_be_is_one_error_for_people(settings: Settings) -> None:
    with pytest.raises(DubflowError) as refused:
        make_plan(settings)
    assert refused.value.code is ErrorCode.INVALID_REQUEST
