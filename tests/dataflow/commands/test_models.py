"""`dubflow models` as a user runs it, against a hub on this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

from cluster.models import manifest
from tests.fixtures.hub import COMMIT, hub

FILES = {"model.bin": b"w" * 5000, "config.json": b"{}", "tokenizer.json": b"{}", "notes/README.md": b"hello"}
WHISPER = "Systran/faster-whisper-small"
REVISION = "536b0662742c02347bc0e980a01041f333bce120"


def dubflow(home: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DUBFLOW_", "HF_"))}
    return subprocess.run(
        [sys.executable, "-c", "from cluster.cli.app import main; main()", *arguments],
        env={**clean, "DUBFLOW_HOME": str(home), **environment},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_weights_are_listed_fetched_once_and_verified(tmp_path: Path) -> None:
    listed = dubflow(tmp_path, "models", "list", "--json")
    states = {line["engine"]: line for line in map(json.loads, listed.stdout.splitlines())}
    assert states["transcription.whisper"]["state"] == "missing"
    assert states["transcription.whisper"]["licence"] == "MIT"

    with hub(WHISPER, FILES) as served:
        first = dubflow(tmp_path, "models", "fetch", "transcription.whisper", HF_ENDPOINT=served.url)
        assert first.returncode == 0, first.stderr
        assert "0.5 GB from Systran/faster-whisper-small (MIT)" in first.stderr
        asked = len(served.requests)
        again = dubflow(tmp_path, "models", "fetch", "transcription.whisper", HF_ENDPOINT=served.url)
        assert (again.returncode, len(served.requests)) == (0, asked)

    folder = tmp_path / "models" / "whisper-small" / REVISION
    sealed = manifest.read(folder)
    assert sealed is not None
    assert sealed.commit == COMMIT
    assert {name: (folder / name).read_bytes() for name in sealed.files} == FILES

    (folder / "model.bin").write_bytes(b"x" * 5000)
    assert dubflow(tmp_path, "models", "list", "transcription.whisper").returncode == 0
    verified = dubflow(tmp_path, "models", "list", "transcription.whisper", "--verify")
    assert verified.returncode == 3
    assert "damaged" in verified.stdout


def test_without_a_network_there_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    away = dubflow(tmp_path, "models", "fetch", "transcription.whisper", HF_ENDPOINT="http://127.0.0.1:9")
    assert away.returncode == 3
    assert "Traceback" not in away.stderr
    assert "model_missing: Systran/faster-whisper-small cannot be fetched" in away.stderr

    clip = Path(__file__).parents[3] / "samples" / "jfk.mp4"
    dub = dubflow(tmp_path, "dub", str(clip), "--to", "es", "--profile", "cpu", "-o", str(tmp_path / "out"))
    assert dub.returncode == 3
    assert dub.stderr.count("\n") == 1
    for engine in ("diarization.wespeaker", "transcription.whisper"):
        assert engine in dub.stderr
    assert dub.stderr.endswith("run: pip install 'dubflow[cpu]' && dubflow models fetch --profile cpu\n")


def test_small_weights_have_a_size_too(tmp_path: Path) -> None:
    listed = dubflow(tmp_path, "models", "list", "diarization.wespeaker")
    rows = [line for line in listed.stdout.splitlines() if line.startswith("diarization.wespeaker")]
    assert [("30 MB" in row, "10 MB" in row) for row in rows] == [(True, False), (False, True)]


def test_an_engine_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    wrong = dubflow(tmp_path, "models", "fetch", "whisper")
    assert wrong.returncode == 2
    assert "as in transcription.whisper" in wrong.stderr
