"""Which weights an engine runs with, and whether they lie where they should."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.models import ModelSpec


def chosen_model(options: EngineOptions, usual: ModelSpec, parameter: str = "model") -> ModelSpec:
    """The weights that the parameter `model` names, or another one in engines with several; else the usual ones.

    Its value is a folder (used where it lies), or a repository as `owner/name` or `owner/name@revision`.
    """
    wanted = options.parameters.get(parameter) or (options.model if parameter == "model" else "")
    if not wanted:
        return usual
    if Path(wanted).is_absolute():
        return replace(usual, name=Path(wanted).name, source=wanted, revision=_fingerprint(Path(wanted)), gigabytes=0.0)
    source, _, revision = wanted.partition("@")
    return ModelSpec(source.rpartition("/")[2], source, revision or "main", "unknown", gigabytes=usual.gigabytes)


def identity(*specs: ModelSpec) -> str:
    """What `EngineInfo.model` says of weights."""
    return "+".join(f"{spec.name}@{spec.revision[:12]}" for spec in specs)


def info_of(name: str, capability: Capability, version: str, *specs: ModelSpec, code: str = "") -> EngineInfo:
    """Who an engine is that runs weights: it may be used as all of their licences allow.

    Args:
        name: Within its capability.
        capability: What it does.
        version: Changes whenever the same request would give another result.
        specs: Its weights.
        code: Licence of its code, where that asks for more than to be named.
    """
    licences = dict.fromkeys([*(spec.licence for spec in specs), *filter(None, [code])])
    return EngineInfo(
        name=name,
        capability=capability,
        version=version,
        model=identity(*specs),
        licence=" AND ".join(licences),
        commercial_use=all(spec.commercial_use for spec in specs),
        needs=specs,
    )


def require_files(folder: Path, files: tuple[str, ...], capability: Capability, engine: str, spec: ModelSpec) -> None:
    """Make sure that a model's files are there.

    Raises:
        EngineError: `model_missing`, with the command that fetches them.
    """
    missing = [name for name in files if not (folder / name).exists()]
    if not missing:
        return
    if Path(spec.source).is_absolute():
        remedy = "name a folder that holds them"
    else:
        remedy = f"run: dubflow models fetch {capability}.{engine}"
    lacking = f"{', '.join(missing)} of the model {spec.name} missing in {folder}"
    raise EngineError(f"{lacking}; {remedy}", code="model_missing")


def require_package(module: str, extra: str, engine: str) -> None:
    """Make sure that a library is installed, without importing it.

    Raises:
        EngineError: `model_missing`, with the command that installs it.
    """
    if not _installed(module):
        raise EngineError(
            f"the engine {engine} needs the package {module}; run: pip install 'dubflow[{extra}]'", code="model_missing"
        )


@contextmanager
def loading(spec: ModelSpec) -> Iterator[None]:
    """Turn what a library makes of a model's files into one kind of error.

    Raises:
        EngineError: `model_load_failed`.
    """
    try:
        yield
    except Exception as error:  # libraries raise whatever a file makes them raise
        raise EngineError(
            f"the model {spec.name} could not be loaded: {error}; fetch it again", code="model_load_failed"
        ) from error


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that it is in
        return False


def _fingerprint(folder: Path) -> str:
    """Changes with the files of a folder, as far as their names, sizes and times tell."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    seen = [(str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return blake2b(repr(seen).encode(), digest_size=8).hexdigest()
