import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cluster.cli.app import build_app
from cluster.errors import DubflowError


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUBFLOW_HOME", str(tmp_path))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build_app(), ["plan", *arguments], catch_exceptions=False, standalone_mode=False)


def as_json(*arguments: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(run(*arguments, "--json").stdout)
    return found


def test_a_plan_says_where_how_fast_at_what_cost_and_from_which_figures() -> None:
    said = run("--gpus", "8xH200", "--hours", "100000", "--to", "es,fr", "--price", "3.5").stdout
    assert "8xH200: 8 group(s) of 1 GPU(s)" in said
    assert "translate 0." in said
    assert "hours dubbed per GPU-hour" in said
    assert "at 3.5 an hour" in said
    assert "estimate" in said
    assert "2 language(s)" in said


def test_the_figures_agree_with_each_other() -> None:
    plan = as_json("--gpus", "8xH200", "--hours", "1000", "--to", "es,fr", "--price", "2")
    assert plan["hours_per_gpu_hour"] == pytest.approx(plan["hours_an_hour"] / 8)  # type: ignore[operator]
    assert plan["gpu_hours"] == pytest.approx(8 * plan["wall_hours"])  # type: ignore[operator]
    assert plan["cost"] == pytest.approx(2 * plan["gpu_hours"])  # type: ignore[operator]
    assert plan["measured"] is False


def test_measured_figures_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ours.json"
    file.write_text(json.dumps({"diarization.pyannote": {"gpu_seconds": 8.0}}))
    monkeypatch.setenv("DUBFLOW_ENGINE_LOADS", str(file))
    origins = {pool["engine"]: pool["origin"] for pool in as_json("--gpus", "1xH200")["pools"]}  # type: ignore[attr-defined]
    assert origins["diarization.pyannote"] == "measured, ours.json"
    assert origins["transcription.whisper"] == ""


def test_files_of_figures_can_be_named(tmp_path: Path) -> None:
    figures = {"transcription.whisper": {"library": "ctranslate2", "gpu_seconds": 4.0, "memory_gb": 5.0}}
    record = {"format": "dubflow.gpu-benchmark/1", "tiny": False, "device": "NVIDIA H200", "memory_gb": 150.0}
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    one.write_text(json.dumps({**record, "loads": figures}))
    other.write_text(json.dumps({"speech.voxcpm": {"gpu_seconds": 30.0}}))
    plan = as_json("--gpus", "1xH200", "--measured", str(one), "--measured", str(other))
    pools = {pool["engine"]: pool for pool in plan["pools"]}  # type: ignore[attr-defined]
    assert pools["transcription.whisper"]["gpu_seconds"] == 4.0
    assert pools["transcription.whisper"]["origin"] == "measured, one.json, with ctranslate2"
    assert pools["diarization.pyannote"]["origin"] == ""


def test_processors_alone_have_a_plan_too() -> None:
    plan = as_json("--profile", "lite", "--cpus", "4", "--hours", "10")
    assert plan["placements"] == []
    assert plan["bottleneck"] == "transcribe"
    assert plan["gpu_hours"] is None


def test_separation_counts_where_the_background_is_kept() -> None:
    without, kept = as_json("--gpus", "1xH200"), as_json("--gpus", "1xH200", "--keep-background")
    pools = [{pool["engine"] for pool in plan["pools"]} for plan in (without, kept)]  # type: ignore[attr-defined]
    assert pools[1] - pools[0] == {"separation.demucs"}
    assert kept["hours_an_hour"] < without["hours_an_hour"]  # type: ignore[operator]
    assert "separation" not in run("--profile", "lite", "--keep-background").stdout


def test_a_price_without_gpus_is_refused() -> None:
    with pytest.raises(DubflowError, match="--gpus"):
        run("--price", "3")
