"""`dubflow doctor`: what this machine has and lacks, with the remedy beside each lack."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Annotated

import typer

from actors.contracts.engine import EngineError
from cluster.blobs.store import open_blobs
from cluster.cli.app import EXIT_ENVIRONMENT
from cluster.cli.console import out, print_json
from cluster.errors import DubflowError
from cluster.ledger.ledger import Ledger
from cluster.ledger.schema import upgrade
from cluster.settings import Settings
from dataflow import engines
from dataflow.languages import offers
from dataflow.planning import cpu_count, make_plan

LEAST_FREE_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    good: bool
    detail: str


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> int:
    """Tell what works here and what is missing; exit code 3 where something is."""
    findings = list(examine(Settings()))
    for finding in findings:
        if as_json:
            print_json({"check": finding.name, "ok": finding.good, "detail": finding.detail})
        else:
            out.print(f"{'ok ' if finding.good else 'BAD'}  {finding.name}: {finding.detail}")
    return 0 if all(finding.good for finding in findings) else EXIT_ENVIRONMENT


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything that a run needs."""
    yield Finding("versions", True, ", ".join(f"{name} {version(name)}" for name in ("ray", "av", "sqlalchemy")))
    yield Finding("processors", True, f"{cpu_count()} usable")
    yield _try("database", partial(_database, settings))
    yield _try("blob store", partial(_blob_store, settings))
    yield _try("disk", partial(_disk, settings))
    plan = make_plan(settings)
    for engine in engines.all_of(plan):
        yield _try(f"engine {engine.info.capability}.{engine.info.name}", partial(_engine, engine))
    yield _try("languages", lambda: ", ".join(offer.code for offer in offers(plan)) or "none")


def _database(settings: Settings) -> str:
    upgrade(settings.database)
    Ledger(settings.database).close()
    return settings.database.rpartition("@")[2]


def _blob_store(settings: Settings) -> str:
    store = open_blobs(settings.blobs, settings.s3_endpoint_url)
    store.put_bytes("doctor/probe", b"can be written")
    store.delete("doctor/probe")
    return settings.blobs


def _disk(settings: Settings) -> str:
    folder = settings.scratch_folder
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise OSError(f"only {free / 1024**3:.1f} GiB free in {folder}; free some or set DUBFLOW_SCRATCH")
    return f"{free / 1024**3:.0f} GiB free in {folder}"


def _engine(engine: engines.AnyEngine) -> str:
    engine.check()
    use = "" if engine.info.commercial_use else ", non-commercial use only"
    return f"{engine.info.identity} ({engine.info.licence}{use})"


def _try(name: str, examine_one: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, examine_one())
    except (DubflowError, EngineError, OSError) as error:
        return Finding(name, False, str(error))
