"""What the manual tells to type exists: commands with their options, settings, files."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cluster.cli.app import build_app
from cluster.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def typed() -> list[str]:
    fenced = [line for block in re.findall(r"```\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL))
    lines = [part for line in [*fenced, *inline] for part in re.findall(r"(?:^|'|-- )(dubflow [^']*)", line)]
    return sorted(set(lines))


@pytest.mark.parametrize("line", typed())
def test_commands_exist_with_these_options(line: str) -> None:
    words = shlex.split(line)[1:]
    command: Any = typer.main.get_command(build_app())
    while groups := getattr(command, "commands", None):
        name = words.pop(0)
        assert name in groups, f"there is no command {name}"
        command = groups[name]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options


def test_there_is_something_to_type() -> None:
    assert len(typed()) > 10


def test_settings_exist() -> None:
    named = set(re.findall(r"DUBFLOW_[A-Z_]*[A-Z]", TEXT))
    assert named
    assert {name.removeprefix("DUBFLOW_").lower() for name in named} <= set(Settings.model_fields)


def test_files_and_links_exist() -> None:
    named = {*re.findall(r"\b(?:deploy|cluster)/[\w./-]*\w", TEXT), *re.findall(r"\]\(([\w./-]+)\)", TEXT)}
    missing = [name for name in named if not ((ROOT / name).exists() or (ROOT / "docs" / name).exists())]
    assert missing == []


def test_the_readme_leads_here() -> None:
    assert "docs/operations.md" in (ROOT / "README.md").read_text(encoding="utf-8")
