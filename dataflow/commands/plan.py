"""`dubflow plan`: where the pools would run, how fast, what holds them back and what it costs."""

from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import Annotated

import typer

from actors.profiles import OPTIONAL
from cluster.cli.console import out, print_json, print_table
from cluster.errors import DubflowError, ErrorCode
from cluster.forecast import CELL_GPUS, Forecast, forecast, parse_gpus
from cluster.languages import parse_languages
from cluster.loads import MEDIA, PUBLISHING, SPEECH_SHARE, loads
from cluster.placement import Placement
from cluster.settings import Profile, Settings
from dataflow.planning import cpu_count, engines_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(plan)


def plan(
    gpus: Annotated[str, typer.Option("--gpus", help="As 8xH200, or 8xH200,4xL4; none: processors only.")] = "",
    hours: Annotated[float, typer.Option(min=0.0, help="Hours of source to dub.")] = 1.0,
    to: Annotated[list[str] | None, typer.Option("--to", "-t", help="Target languages: es,fr")] = None,
    *,
    profile: Annotated[Profile | None, typer.Option("--profile", help="Whose engines run.")] = None,
    keep_background: Annotated[
        bool, typer.Option("--keep-background/--no-background", help="Of all sources, music and effects are kept.")
    ] = False,
    cpus: Annotated[
        int | None, typer.Option(min=1, help="Processors; else this machine's, or as many as the GPUs need.")
    ] = None,
    price: Annotated[float | None, typer.Option(min=0.0, help="Of one GPU for an hour.")] = None,
    measured: Annotated[
        list[Path] | None,
        typer.Option("--measured", exists=True, dir_okay=False, help="Figures of benchmarks/gpu; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Print where the pools run, how many hours they dub in an hour, what holds them back, and the cost."""
    settings = Settings()
    kinds = parse_gpus(gpus)
    languages = parse_languages(to) if to else ("es",)
    chosen = settings.model_copy(update={"profile": profile or (Profile.GPU if kinds else settings.profile)})
    if price is not None and not kinds:
        raise DubflowError(ErrorCode.INVALID_REQUEST, "--price is that of a GPU; say which with --gpus")
    expected = forecast(
        {name: engine for name, engine in engines_of(chosen).items() if keep_background or name not in OPTIONAL},
        loads(settings.engine_loads, *(measured or ())),
        kinds,
        len(languages),
        cpus or (None if kinds else cpu_count()),
    )
    count = sum(number for _, number in kinds)
    if as_json:
        print_json(_plain(expected, hours, count, price))
    else:
        _print(expected, hours, count, price, len(languages))


def _print(expected: Forecast, hours: float, gpus: int, price: float | None, languages: int) -> None:
    print_table(
        ["pool", "engine", "GPU s", "CPU s", "GPU GB", "figures"],
        [
            [
                cost.pool,
                cost.engine,
                f"{cost.gpu_seconds:.1f}",
                f"{cost.cpu_seconds:.0f}",
                f"{cost.memory_gb:g}",
                cost.origin or "estimate",
            ]
            for cost in expected.costs
        ]
        + [["open", "decoding", "0.0", f"{MEDIA.cpu_seconds:.0f}", "0", "estimate"]]
        + [["publish", "mixing, encoding", "0.0", f"{PUBLISHING.cpu_seconds * languages:.0f}", "0", "estimate"]],
    )
    out.print(
        f"seconds are for an hour of source of which people speak {SPEECH_SHARE:.0%}, in {languages} language(s)\n"
    )
    for placement in expected.placements:
        _print_placement(placement)
    out.print(f"{expected.rate:,.1f} hours dubbed an hour, held back by {expected.bottleneck}")
    out.print(f"{ceil(expected.cores)} processors keep up")
    if expected.rate:
        out.print(f"{hours:,g} hours of source: {hours / expected.rate:,.1f} hours")
    if gpus:
        gpu_hours = gpus * hours / expected.rate
        cost = f", {price * gpu_hours:,.2f} at {price:g} an hour" if price is not None else ""
        out.print(f"{expected.rate / gpus:,.1f} hours dubbed per GPU-hour; {gpu_hours:,.1f} GPU-hours{cost}")
    if not expected.measured:
        out.print(
            "estimates are published speeds, not this cluster's: measure with benchmarks/gpu, then give --measured"
        )


def _print_placement(placement: Placement) -> None:
    cells = ceil(placement.count / CELL_GPUS)
    out.print(
        f"{placement.count}x{placement.gpu.name}: {placement.groups} group(s) of {len(placement.shares)} GPU(s)"
        f"{f' in {cells} flows' if cells > 1 else ''}{f', {placement.idle} idle' if placement.idle else ''}"
    )
    for i, shares in enumerate(placement.shares, start=1):
        out.print(f"  GPU {i}: {', '.join(f'{pool} {share:.2f}' for pool, share in shares.items())}")


def _plain(expected: Forecast, hours: float, gpus: int, price: float | None) -> dict[str, object]:
    gpu_hours = gpus * hours / expected.rate if expected.rate else 0.0
    return {
        "pools": [asdict(cost) for cost in expected.costs],
        "placements": [
            {
                "gpu": placement.gpu.name,
                "count": placement.count,
                "groups": placement.groups,
                "idle": placement.idle,
                "shares": [dict(shares) for shares in placement.shares],
                "hours_per_gpu_hour": placement.hours_per_gpu_hour,
            }
            for placement in expected.placements
        ],
        "hours_an_hour": expected.rate,
        "hours_per_gpu_hour": expected.rate / gpus if gpus else None,
        "bottleneck": expected.bottleneck,
        "processors": ceil(expected.cores),
        "wall_hours": hours / expected.rate if expected.rate else None,
        "gpu_hours": gpu_hours if gpus else None,
        "cost": price * gpu_hours if price is not None else None,
        "measured": expected.measured,
    }
