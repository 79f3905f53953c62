"""The benchmarks for GPUs run on a processor, on toy shapes: the same code, so that on a GPU it is known to run."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import hour
from cluster.errors import DubflowError
from cluster.loads import ESTIMATES, SPEECH_SHARE, loads

ROOT = Path(__file__).parents[2]
models = pytest.mark.models
TOY = ("--device", "cpu", "--tiny")
BLOCKED = ("ray", "httpx", "langcodes", "pydantic", "structlog", "sqlalchemy", "faster_whisper", "ctranslate2")
STAGES = [
    ("diarization", "torch", hour.SECONDS),
    ("transcription", "transformers", hour.SPEECH_SECONDS),
    ("transcription", "ctranslate2", hour.SPEECH_SECONDS),
    ("translation", "torch", hour.SPEECH_SECONDS),
    ("speech", "torch", hour.SPEECH_SECONDS),
    ("speech", "coqui-tts", hour.SPEECH_SECONDS),
    ("voxcpm", "voxcpm", hour.SPEECH_SECONDS),
    ("separation", "demucs", hour.SECONDS),
]


def run(name: str, file: Path, *more: str) -> dict[str, Any]:
    assert import_module(f"benchmarks.gpu.{name}").main([*TOY, *more, "--json", str(file)]) == 0
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@models
@pytest.mark.parametrize(("name", "library", "audio"), STAGES)
def test_a_stage_is_measured_at_each_size(
    name: str, library: str, audio: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = run(name, tmp_path / "x.json", "--library", library)
    assert [row["batch"] for row in record["rows"]] == [1, 2]
    assert all(row["hour_seconds"] == pytest.approx(audio / row["rate"]) for row in record["rows"])
    assert (record["tiny"], record["device"], record["library"]) == (True, "cpu", library)
    assert record["libraries"]["torch"]
    said = capsys.readouterr().out
    assert "no figures" in said
    assert len(said.splitlines()) == 2 + len(record["rows"])


@models
def test_the_whole_flow_runs_without_what_dubflow_needs_beside_pytorch_and_transformers(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({(*BLOCKED, 'pyannote', 'pyannote.core', 'TTS', 'vllm')!r}))\n"
        "from benchmarks.gpu.whole import main\n"
        f"sys.exit(main([*{TOY!r}, '--together', 'threads', '--json', {str(tmp_path / 'w.json')!r}]))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    record = json.loads((tmp_path / "w.json").read_text())
    assert list(record["alone"]) == ["diarization", "transcription", "translation", "speech"]
    assert record["alone"]["speech"]["library"] == "torch"
    slowest = max(one["hour_seconds"] for one in record["alone"].values())
    turns = sum(one["hour_seconds"] for one in record["alone"].values())
    assert record["of_slowest_alone"] == pytest.approx(record["hours_per_gpu_hour"] * slowest / 3600)
    assert record["of_taking_turns"] == pytest.approx(record["hours_per_gpu_hour"] * turns / 3600)
    assert record["hours_per_gpu_hour"] == pytest.approx(3600 * record["hours"] / record["seconds"])
    assert set(record["loads"]) <= set(ESTIMATES)


@models
def test_a_stage_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    record = run("whole", tmp_path / "w.json", "--stages", "translation")
    assert list(record["alone"]) == ["translation"]


@models
def test_what_is_written_step_by_step_is_what_the_whole_text_gives() -> None:
    import torch

    from benchmarks.gpu.language_model import TOY as SHAPE
    from benchmarks.gpu.language_model import LanguageModel, Writer

    torch.manual_seed(0)
    model = LanguageModel.made(SHAPE, "cpu", torch.float32)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.normal_(0, 0.3)
    text = torch.randint(SHAPE.words, (3, 10))
    written = Writer(model, 3, 10, 5).write(text)
    for step in range(6):
        length = text.shape[1]
        size = (3, SHAPE.groups, length, SHAPE.width // SHAPE.heads)
        caches = [(torch.zeros(size), torch.zeros(size)) for _ in range(SHAPE.layers)]
        state = model.states(text, torch.arange(length), caches, None)[:, -1:]
        if step:
            torch.testing.assert_close(written[:, step - 1 : step], state, rtol=1e-4, atol=1e-4)
        text = torch.cat((text, model.write(state).argmax(-1)), dim=1)


@models
def test_networks_in_plain_pytorch_have_the_models_sizes() -> None:
    import torch

    from benchmarks.gpu.hifigan import HifiGan
    from benchmarks.gpu.language_model import QWEN_8B, XTTS_GPT, LanguageModel
    from benchmarks.gpu.speaker_nets import Embedding, Segmentation

    with torch.device("meta"):
        made = (LanguageModel(QWEN_8B), LanguageModel(XTTS_GPT), HifiGan(), Segmentation(), Embedding())
    sizes = [sum(one.numel() for one in network.parameters()) for network in made]
    assert sizes == pytest.approx([8.19e9, 378e6, 17.8e6, 1.47e6, 6.63e6], rel=0.02)


@pytest.mark.parametrize(
    "name", ["diarization", "transcription", "translation", "speech", "voxcpm", "separation", "whole"]
)
def test_without_its_library_a_benchmark_says_so_in_a_line(name: str) -> None:
    code = (
        "import runpy, sys\n"
        "sys.modules['torch'] = None\n"
        f"sys.argv = [{name!r}, *{TOY!r}]\n"
        f"runpy.run_module('benchmarks.gpu.{name}', run_name='__main__')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 3, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert line.startswith("torch cannot be imported")
    assert not ended.stdout


@models
def test_every_stage_has_a_part_in_the_whole_and_together_they_fit_into_the_memory() -> None:
    from benchmarks.gpu.whole import CHOICES, USUAL

    assert set(CHOICES) == {name for name, _, _ in STAGES} == set(hour.PUBLISHED)
    assert sum(choice.share for name, choice in CHOICES.items() if name != "speech") < 1  # a flow has one voice
    assert set(USUAL) <= set(CHOICES)


def test_the_hour_is_the_one_that_plans_are_made_for() -> None:
    assert hour.SPEECH_SECONDS / hour.SECONDS == SPEECH_SHARE


@models
def test_a_plan_refuses_what_was_measured_on_toys(tmp_path: Path) -> None:
    run("translation", tmp_path / "t.json")
    with pytest.raises(DubflowError, match="toy"):
        loads(tmp_path / "t.json")
