"""What a folder of weights holds: written last, so that a folder without it does not count."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "dubflow.model.json"
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileSeal:
    """Size in bytes and SHA-256 of one file."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where the weights came from, under which licence, and what they were.

    Attributes:
        source: As it was asked for.
        revision: As it was asked for.
        commit: What the revision was then; empty where the source has none.
        licence: Of the weights.
        files: By path below the folder.
    """

    source: str
    revision: str
    commit: str
    licence: str
    files: dict[str, FileSeal]


def seal(folder: Path, source: str, revision: str, commit: str, licence: str) -> Manifest:
    """Write the manifest of all files in a folder."""
    files = {
        str(path.relative_to(folder)): FileSeal(path.stat().st_size, _sha256(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != NAME
    }
    manifest = Manifest(source, revision, commit, licence, files)
    with (folder / NAME).open("w", encoding="utf-8") as file:
        json.dump(asdict(manifest), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    return manifest


def read(folder: Path) -> Manifest | None:
    """The manifest of a folder; None where there is none that can be read."""
    try:
        plain = json.loads((folder / NAME).read_text(encoding="utf-8"))
        files = {name: FileSeal(**one) for name, one in plain.pop("files").items()}
        return Manifest(files=files, **plain)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def damage(folder: Path, manifest: Manifest, *, thorough: bool) -> list[str]:
    """Files that are not what they were: by their sizes, and thoroughly by their contents."""
    return [name for name, one in manifest.files.items() if not _intact(folder / name, one, thorough=thorough)]


def _intact(path: Path, one: FileSeal, *, thorough: bool) -> bool:
    try:
        return path.stat().st_size == one.size and (not thorough or _sha256(path) == one.sha256)
    except OSError:
        return False


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
