"""The image: what its Dockerfile copies exists, what it builds on is pinned, and it is what the repository says."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
KNOWN = {"FROM", "ARG", "ENV", "RUN", "COPY", "WORKDIR", "USER", "EXPOSE", "CMD"}


@dataclass(frozen=True)
class Instruction:
    stage: int
    word: str
    rest: str


def instructions() -> list[Instruction]:
    lines = DOCKERFILE.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    found, stage = [], -1
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            stage += word == "FROM"
            found.append(Instruction(stage, word, " ".join(rest.split())))
    return found


INSTRUCTIONS = instructions()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def all_of(word: str, stage: int | None = None) -> list[str]:
    return [one.rest for one in INSTRUCTIONS if one.word == word and stage in {None, one.stage}]


def test_every_line_is_an_instruction() -> None:
    assert INSTRUCTIONS[0].word == "FROM"
    assert {one.word for one in INSTRUCTIONS} <= KNOWN


def test_both_stages_stand_on_one_pinned_python_that_the_project_supports() -> None:
    images = {rest.split(" ")[0] for rest in all_of("FROM")}
    assert len(images) == 1
    version = re.fullmatch(r"python:(3\.\d+)\.\d+-slim-bookworm", images.pop())
    assert version
    low, high = re.findall(r"\d+\.(\d+)", PROJECT["project"]["requires-python"])
    assert int(low) <= int(version[1].split(".")[1]) < int(high)


def test_what_is_copied_exists_and_gets_into_the_build() -> None:
    allowed = {
        line.removeprefix("!")
        for line in (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = set()
    for rest in all_of("COPY", stage=0):
        *sources, _ = rest.split(" ")
        copied |= set(sources)
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= copied


def test_later_stages_take_only_what_the_first_has_built() -> None:
    assert [rest.split(" ")[0] for rest in all_of("COPY", stage=1)] == ["--from=build"]


def test_packages_of_python_come_from_the_lock_and_uv_is_pinned() -> None:
    commands = " ".join(all_of("RUN", stage=0))
    assert re.search(r"pip install --no-cache-dir uv==\d+\.\d+\.\d+", commands)
    syncs = re.findall(r"uv sync [^$]*", commands)
    assert len(syncs) == 2
    assert all("--locked" in sync for sync in syncs)
    assert "pip install" not in " ".join(all_of("RUN", stage=1))


def test_extras_can_be_chosen_and_exist() -> None:
    assert all_of("ARG", stage=0) == ['EXTRAS=""']
    assert {"cpu", "gpu"} <= set(PROJECT["project"]["optional-dependencies"])


def test_debian_s_packages_are_those_of_the_makefile_and_what_ray_needs() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    wanted = re.search(r"^RUN_PACKAGES := (.*)$", makefile, re.MULTILINE)
    assert wanted
    installed = " ".join(all_of("RUN", stage=1)).split(" ")
    assert {*wanted[1].split(), "ca-certificates", "rsync", "wget"} <= set(installed)


def test_nobody_is_root_in_it_and_no_secret_is_part_of_it() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", all_of("USER", stage=1)[-1]), "Kubernetes only believes numbers"
    settings = " ".join(all_of("ENV") + all_of("ARG"))
    assert not re.search(r"(?i)key|token|password|secret", settings)


def test_it_runs_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    program, command, *_ = json.loads(all_of("CMD")[-1])
    assert program in PROJECT["project"]["scripts"]
    assert command in PROJECT["project"]["entry-points"]["dubflow.commands"]
