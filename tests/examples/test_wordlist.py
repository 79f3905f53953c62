"""The example package, built and found as a user's own package is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "dubflow-wordlist"
WORDS = "hello\thola\nworld\tmundo\n"

TRANSLATE = """
import sys
from actors import registry
from actors.contracts.engine import Capability, EngineError, EngineOptions
from actors.contracts.translation import Line, TranslationRequest

engine = registry.create(
    Capability.TRANSLATION, "wordlist", EngineOptions(parameters={"words": sys.argv[1], "pair": "en-es"})
)
engine.check()
engine.load()
good, bad = engine.run(
    [
        TranslationRequest("en-US", "es", (Line("u1", "A", "Hello, world!", 1.0), Line("u2", "A", "Hello moon", 1.0))),
        TranslationRequest("en", "fr", (Line("u1", "S1", "Hello", 1.0),)),
    ]
)
print([(line.text, line.flags) for line in good.lines], bad.code)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built package; Python imports wheels, and their entry points, from its path."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=EXAMPLE, check=True, capture_output=True, timeout=120)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture
def words(tmp_path: Path) -> Path:
    file = tmp_path / "lists" / "en-es.tsv"
    file.parent.mkdir()
    file.write_text(WORDS, encoding="utf-8")
    return file


def run(wheel: Path, home: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DUBFLOW_")}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**clean, "PYTHONPATH": str(wheel), "DUBFLOW_HOME": str(home), **environment},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_is_found_and_translates_what_it_knows(wheel: Path, words: Path, tmp_path: Path) -> None:
    done = run(wheel, tmp_path, "-c", TRANSLATE, str(words))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[('hola, mundo!', ()), ('hola moon', ('unknown_words',))] unsupported_language"


def test_the_program_uses_it_and_doctor_says_what_it_lacks(wheel: Path, words: Path, tmp_path: Path) -> None:
    program = ("-c", "from cluster.cli.app import main; main()")
    chosen = {"DUBFLOW_ENGINES": '{"translation": "wordlist"}', "DUBFLOW_PROFILE": "lite"}
    parameters = {"translation.wordlist": {"words": str(words), "pair": "en-es"}}
    told = run(
        wheel,
        tmp_path,
        *program,
        "languages",
        "--json",
        **chosen,
        DUBFLOW_ENGINE_PARAMETERS=json.dumps(parameters),
    )
    assert [json.loads(line)["code"] for line in told.stdout.splitlines()] == ["es"], told.stderr
    checks = run(wheel, tmp_path, *program, "doctor", "--json", **chosen)
    found = {line["check"]: line for line in map(json.loads, checks.stdout.splitlines())}
    assert checks.returncode == 3
    assert found["engine translation.wordlist"]["ok"] is False
    assert "words of translation.wordlist" in found["engine translation.wordlist"]["detail"]


def test_without_the_package_the_program_says_that_there_is_none(tmp_path: Path) -> None:
    program = ("-c", "from cluster.cli.app import main; main()")
    told = run(tmp_path / "no.whl", tmp_path, *program, "languages", DUBFLOW_ENGINES='{"translation": "wordlist"}')
    assert told.returncode == 2
    assert "wordlist" in told.stderr
