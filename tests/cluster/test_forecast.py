import json
from pathlib import Path

import pytest

from cluster.errors import DubflowError
from cluster.forecast import forecast, needs_of, parse_gpus
from cluster.loads import ESTIMATES, GPUS, MEDIA, PUBLISHING, Load, loads

ENGINES = {"diarization": "a", "voice_analysis": "b", "transcription": "c", "translation": "d", "speech": "e"}
LOADS = {
    "diarization.a": Load(4, 30, 1000, "measured"),
    "voice_analysis.b": Load(0, 0, 20, "measured"),
    "transcription.c": Load(6, 10, 900, "measured"),
    "translation.d": Load(20, 5, 100, "measured"),
    "speech.e": Load(8, 20, 50),
}
H200 = GPUS["H200"]


def test_translation_and_speech_cost_as_often_as_there_are_languages() -> None:
    one, three = ({need.pool: need.gpu_seconds for need in needs_of(ENGINES, LOADS, languages)} for languages in (1, 3))
    assert one == {"diarize": 30, "transcribe": 10, "translate": 5, "synthesize": 20}
    assert three == {"diarize": 30, "transcribe": 10, "translate": 15, "synthesize": 60}


def test_of_several_engines_the_first_works_and_all_hold_memory() -> None:
    several = {**ENGINES, "speech": "e, f"}
    both = {**LOADS, "speech.f": Load(3, 500, 500)}
    (alone,), (together,) = (
        [need for need in needs_of(engines, both, 1) if need.pool == "synthesize"] for engines in (ENGINES, several)
    )
    assert together.gpu_seconds == alone.gpu_seconds == 20
    assert (alone.memory_gb, together.memory_gb) == (8, 11)
    assert {cost.engine for cost in forecast(several, both, [], 1, cpus=8).costs} >= {"speech.e", "speech.f"}


def test_gpus_dub_as_much_as_their_seconds_allow() -> None:
    expected = forecast(ENGINES, LOADS, [(H200, 2)], 1)
    assert expected.rate == pytest.approx(2 * 3600 / 65)
    assert expected.bottleneck == "diarize"
    assert expected.cores == pytest.approx(
        expected.rate * (65 + 20 + MEDIA.cpu_seconds + PUBLISHING.cpu_seconds) / 3600
    )
    assert not expected.measured


def test_too_few_processors_hold_gpus_back() -> None:
    expected = forecast(ENGINES, LOADS, [(H200, 8)], 1, cpus=4)
    assert expected.bottleneck == "processors"
    assert expected.rate < forecast(ENGINES, LOADS, [(H200, 8)], 1).rate
    assert expected.cores == pytest.approx(4)


def test_without_gpus_processors_do_it_all() -> None:
    expected = forecast(ENGINES, LOADS, [], 1, cpus=8)
    seconds = 1000 + 20 + 900 + 100 + 50 + MEDIA.cpu_seconds + PUBLISHING.cpu_seconds
    assert expected.rate == pytest.approx(8 * 3600 / seconds)
    assert expected.bottleneck == "diarize"
    assert expected.placements == ()


def test_kinds_of_gpus_add_up() -> None:
    both = forecast(ENGINES, LOADS, parse_gpus("2xH200, 1xh100"), 1)
    assert both.rate == pytest.approx(
        sum(forecast(ENGINES, LOADS, parse_gpus(one), 1).rate for one in ("2xH200", "1xH100"))
    )


@pytest.mark.parametrize("text", ["H200", "0xH200", "8x", "8xGTX1080", "x", "-1xL4", "8xH200;4xL4"])
def test_what_names_no_gpus_is_refused_with_what_exists(text: str) -> None:
    with pytest.raises(DubflowError, match="H200"):
        parse_gpus(text)


def test_measured_figures_go_before_estimates(tmp_path: Path) -> None:
    file = tmp_path / "h200.json"
    file.write_text(json.dumps({"transcription.whisper": {"gpu_seconds": 5.5}, "speech.own": {"cpu_seconds": 3.0}}))
    known = loads(file)
    assert known["transcription.whisper"].gpu_seconds == 5.5
    assert known["transcription.whisper"].memory_gb == ESTIMATES["transcription.whisper"].memory_gb
    assert "h200.json" in known["transcription.whisper"].origin
    assert known["speech.own"].cpu_seconds == 3.0
    assert known["speech.espeak"] == ESTIMATES["speech.espeak"]


@pytest.mark.parametrize("text", ["", "[]", '{"a.b": 3}', '{"a.b": {"seconds": 1}}'])
def test_a_file_of_loads_that_is_none_is_told_so(tmp_path: Path, text: str) -> None:
    file = tmp_path / "loads.json"
    file.write_text(text)
    with pytest.raises(DubflowError, match=r"loads\.json"):
        loads(file)


def record(**more: object) -> str:
    figures = {"library": "torch", "gpu_seconds": 8.0, "memory_gb": 20.5}
    plain = {"format": "dubflow.gpu-benchmark/1", "tiny": False, "device": "NVIDIA H200", "memory_gb": 150.0}
    return json.dumps({**plain, "loads": {"translation.vllm": figures}, **more})


@pytest.mark.parametrize(
    ("device", "memory", "speed"),
    [
        ("NVIDIA H200", 150.0, 1.0),
        ("NVIDIA H100 80GB HBM3", 85.0, 0.85),
        ("NVIDIA A100-SXM4-40GB", 42.0, 0.5),
        ("NVIDIA GeForce RTX 4090", 25.4, 0.45),
        ("NVIDIA L4", 23.7, 0.18),
        ("Tesla T4", 15.8, 0.1),
    ],
)
def test_benchmarks_of_any_known_gpu_are_converted(tmp_path: Path, device: str, memory: float, speed: float) -> None:
    file = tmp_path / "whole.json"
    file.write_text(record(device=device, memory_gb=memory))
    load = loads(file)["translation.vllm"]
    assert load.gpu_seconds == pytest.approx(8.0 * speed)
    assert (load.memory_gb, load.cpu_seconds) == (20.5, ESTIMATES["translation.vllm"].cpu_seconds)
    assert load.origin == "measured, whole.json, with torch"


def test_the_last_of_several_files_counts(tmp_path: Path) -> None:
    first, last = tmp_path / "first.json", tmp_path / "last.json"
    first.write_text(json.dumps({"translation.vllm": {"gpu_seconds": 3.0}, "speech.xtts": {"gpu_seconds": 9.0}}))
    last.write_text(record())
    known = loads(None, first, last)
    assert (known["translation.vllm"].gpu_seconds, known["speech.xtts"].gpu_seconds) == (8.0, 9.0)


@pytest.mark.parametrize("more", [{"tiny": True}, {"device": "cpu"}, {"device": "NVIDIA GeForce GTX 1080"}])
def test_figures_that_tell_nothing_about_a_gpu_are_refused(tmp_path: Path, more: dict[str, object]) -> None:
    file = tmp_path / "whole.json"
    file.write_text(record(**more))
    with pytest.raises(DubflowError, match=r"whole\.json"):
        loads(file)
