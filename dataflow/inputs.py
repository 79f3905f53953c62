"""What a user names on the command line, as sources with the names that their results get."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePath, PurePosixPath

from cluster.errors import DubflowError, ErrorCode
from dataflow.naming import encode_stem
from dataflow.report import FORMAT as SCRIPT_FORMAT

MEDIA_SUFFIXES = frozenset(
    {
        *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv"),
        *(".ts", ".webm", ".wmv", ".aac", ".aif", ".aiff", ".flac", ".m4a", ".mka", ".mp3", ".oga", ".ogg", ".opus"),
        *(".wav", ".wma"),
    }
)
"""What a folder is searched for; a file that is named itself may have any name."""


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to dub.

    Attributes:
        named: As the user named it, or as it was found.
        location: What can be opened: a local path or an `s3://` URI.
        stem: Of its results, percent-encoded, relative to the output folder.
    """

    named: str
    location: str
    stem: str


def expand(arguments: Sequence[str]) -> tuple[list[Input], list[tuple[str, DubflowError]]]:
    """All inputs that the arguments name, without repetition, and the arguments that name nothing.

    Folders give the media files in them, at any depth; patterns (`*`, `?`, `[...]`) what matches them. Results of
    inputs with equal names keep the inputs' folders, and where that is not enough their extensions.
    """
    found: dict[str, tuple[str, PurePath]] = {}
    missing: list[tuple[str, DubflowError]] = []
    for argument in arguments:
        try:
            for named, location, relative in _named_by(argument):
                found.setdefault(location, (named, relative))
        except DubflowError as error:
            missing.append((argument, error))
    stems = _distinct_stems([relative for _, relative in found.values()], list(found))
    inputs = [
        Input(named, location, encode_stem(stem))
        for (location, (named, _)), stem in zip(found.items(), stems, strict=True)
    ]
    return inputs, missing


def _named_by(argument: str) -> Iterator[tuple[str, str, PurePath]]:
    if argument.startswith("s3://"):
        yield argument, argument, PurePosixPath(PurePosixPath(argument).name)
        return
    path = Path(argument)
    if path.is_dir():
        yield from _in_folder(path)
    elif path.exists():
        yield argument, os.path.abspath(path), PurePath(path.name)  # noqa: PTH100 - resolve() would follow symlinks away
    elif matches := sorted(glob.glob(argument, recursive=True)):  # noqa: PTH207 - Path.glob takes no absolute patterns
        for match in matches:
            yield from _named_by(match)
    else:
        raise DubflowError(ErrorCode.NOT_FOUND, "there is no such file; check the name and the folder")


def _in_folder(folder: Path) -> Iterator[tuple[str, str, PurePath]]:
    media = (path for path in folder.rglob("*") if path.suffix.lower() in MEDIA_SUFFIXES and path.is_file())
    files = sorted(path for path in media if not _is_result(path))
    if not files:
        raise DubflowError(ErrorCode.NOT_FOUND, "there is no video or audio file in this folder")
    for path in files:
        yield str(path), os.path.abspath(path), path.relative_to(folder)  # noqa: PTH100 - as above


def _is_result(path: Path) -> bool:
    """True for what an earlier run made: dubbing a folder into itself must not dub its dubs."""
    try:
        with path.with_suffix(".json").open("rb") as script:
            return SCRIPT_FORMAT.encode() in script.read(64)
    except OSError:
        return False


def _distinct_stems(relatives: Sequence[PurePath], locations: Sequence[str]) -> list[PurePath]:
    """Names without extension where they differ, else below the inputs' common folder, else with the extension."""
    plain = [relative.with_suffix("") for relative in relatives]
    common = _common_folder(locations)
    placed = [
        PurePath(location).relative_to(common).with_suffix("") if stem in _repeated(plain) else stem
        for stem, location in zip(plain, locations, strict=True)
    ]
    return [
        stem.with_name(PurePath(location).name) if stem in _repeated(placed) else stem
        for stem, location in zip(placed, locations, strict=True)
    ]


def _common_folder(locations: Sequence[str]) -> PurePath:
    folders = [PurePath(location).parent.parts for location in locations]
    shared = takewhile(lambda level: len(set(level)) == 1, zip(*folders, strict=False))
    return PurePath(*(level[0] for level in shared))


def _repeated(stems: Iterable[PurePath]) -> set[PurePath]:
    seen: set[PurePath] = set()
    return {stem for stem in stems if stem in seen or seen.add(stem)}  # type: ignore[func-returns-value] # add gives None
