"""`dubflow models`: which weights the engines need, under which licence, and whether they are here."""

from collections.abc import Sequence
from typing import Annotated

import typer

from actors.contracts.engine import Capability, EngineInfo
from cluster.cli.app import EXIT_ENVIRONMENT
from cluster.cli.console import err, out, print_json, print_table
from cluster.errors import DubflowError
from cluster.models.store import ModelState
from cluster.placement import named
from cluster.settings import Profile, Settings
from dataflow.models import Weights, known_engines, model_store, named_engine, weights
from dataflow.planning import engines_of

ENGINES = typer.Argument(help="Engines such as transcription.whisper; all that are installed where none is named.")
PROFILE = typer.Option("--profile", help="The engines of a profile.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Weights of the engines on this node.")
    group.command("list")(list_models)
    group.command("fetch")(fetch_models)
    app.add_typer(group, name="models")


def list_models(
    engines: Annotated[list[str] | None, ENGINES] = None,
    *,
    profile: Annotated[Profile | None, PROFILE] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Read every byte and compare it with its seal.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> int:
    """List the weights, with their licences; exit code 3 where one is damaged."""
    settings = Settings()
    found = list(weights(_chosen(engines, profile, settings), settings, thorough=verify))
    if as_json:
        for one in found:
            print_json(_plain(one))
    else:
        rows = [[one.engine, one.spec.name, one.state, _licence(one), _size(one), one.spec.source] for one in found]
        print_table(["engine", "model", "state", "licence", "size", "source"], rows)
    return EXIT_ENVIRONMENT if any(one.state is ModelState.DAMAGED for one in found) else 0


def fetch_models(
    engines: Annotated[list[str] | None, ENGINES] = None,
    *,
    profile: Annotated[Profile | None, PROFILE] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> int:
    """Fetch what is missing; exit code 3 where something cannot be had."""
    settings = Settings()
    store = model_store(settings)
    failed = False
    for one in weights(_chosen(engines, profile, settings), settings):
        if one.state is not ModelState.PRESENT:
            err.print(f"{one.spec.name}: {_size(one)} from {one.spec.source} ({_licence(one)})")
        try:
            folder = store.fetch(one.spec)
        except DubflowError as error:
            failed = True
            err.print(f"{error.code}: {error.message}")
            continue
        if as_json:
            print_json({**_plain(one), "state": ModelState.PRESENT, "folder": str(folder)})
        else:
            out.print(f"{one.spec.name}: {folder}")
    return EXIT_ENVIRONMENT if failed else 0


def _chosen(names: Sequence[str] | None, profile: Profile | None, settings: Settings) -> list[EngineInfo]:
    chosen = [named_engine(name, settings) for name in names or ()]
    if profile is not None:
        wanted = engines_of(settings.model_copy(update={"profile": profile}))
        chosen += [
            named_engine(f"{Capability(one)}.{name}", settings)
            for one, choice in wanted.items()
            for name in named(choice)
        ]
    return chosen or list(known_engines(settings))


def _licence(one: Weights) -> str:
    return one.spec.licence if one.spec.commercial_use else f"{one.spec.licence}, no commercial use"


def _size(one: Weights) -> str:
    gigabytes = one.spec.gigabytes
    return f"{gigabytes:.1f} GB" if gigabytes >= 0.1 or not gigabytes else f"{gigabytes * 1000:.0f} MB"  # noqa: PLR2004


def _plain(one: Weights) -> dict[str, object]:
    return {
        "engine": one.engine,
        "model": one.spec.name,
        "state": one.state,
        "licence": one.spec.licence,
        "commercial_use": one.spec.commercial_use,
        "gigabytes": one.spec.gigabytes,
        "source": one.spec.source,
        "revision": one.spec.revision,
    }
