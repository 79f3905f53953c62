"""Apertium's installed language pairs, read from their `.mode` files.

A mode file holds one shell pipeline, for instance `lt-proc 'a.bin' | apertium-tagger -g $2 'b.prob' | ...`, in which
`$1` stands for the generator's flag and `$2` for a debugging one. It is read here, never run by a shell.
"""

import hashlib
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from langcodes import standardize_tag, tag_is_valid
from langcodes.tag_parser import LanguageTagError

DEBIAN_MODES = Path("/usr/share/apertium/modes")

_GENERATE_WITH_MARKS = "-g"
"""Marks words that could not be translated with `*`, `@` or `#`."""

_FLUSH_ON_NUL = "-z"


@dataclass(frozen=True, slots=True)
class Mode:
    """One direction of one pair.

    Attributes:
        source: BCP-47.
        target: BCP-47.
        stages: The argument lists of the programs that follow each other.
    """

    source: str
    target: str
    stages: tuple[tuple[str, ...], ...]


def installed_modes(folder: Path) -> Mapping[tuple[str, str], Mode]:
    """The usable modes of a folder by (source, target); modes with a missing program or data file are left out."""
    modes = [mode for file in sorted(folder.glob("*.mode")) if (mode := _read(file)) and _is_complete(mode)]
    return {(mode.source, mode.target): mode for mode in modes}


def fingerprint(modes: Mapping[tuple[str, str], Mode]) -> str:
    """A short name for the installed data, which changes when a package is updated, and is the same on every node."""
    digest = hashlib.sha256()
    for pair in sorted(modes):
        for argument in (argument for stage in modes[pair].stages for argument in stage):
            size = Path(argument).stat().st_size if _is_data_file(argument) else 0
            digest.update(f"{argument}:{size};".encode())
    return digest.hexdigest()[:12]


def _read(file: Path) -> Mode | None:
    source, _, target = file.stem.partition("-")
    languages = _language(source), _language(target)
    if not all(languages):
        return None
    return Mode(*languages, stages=_stages(file.read_text(encoding="utf-8")))


def _language(name: str) -> str:
    """BCP-47 of a name such as `spa`, `eng_US` or `cat_valencia`; empty where it has none (`cat_iec2017`)."""
    tag = name.replace("_", "-")
    try:
        return standardize_tag(tag) if tag_is_valid(tag) else ""
    except LanguageTagError:
        return ""


def _stages(pipeline: str) -> tuple[tuple[str, ...], ...]:
    stages: list[list[str]] = [[]]
    for word in shlex.split(pipeline):
        if word == "|":
            stages.append([])
        elif word != "$2":
            stages[-1].append(_GENERATE_WITH_MARKS if word == "$1" else word)
    return tuple((stage[0], _FLUSH_ON_NUL, *stage[1:]) for stage in stages if stage)


def _is_complete(mode: Mode) -> bool:
    programs = all(shutil.which(stage[0]) for stage in mode.stages)
    files = (argument for stage in mode.stages for argument in stage if argument.startswith("/"))
    return bool(mode.stages) and programs and all(_is_data_file(file) for file in files)


def _is_data_file(argument: str) -> bool:
    return argument.startswith("/") and Path(argument).is_file()
