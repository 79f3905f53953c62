"""`dubflow dub`: from files to dubbed files, through the same queue and flow as everything else."""

from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated

import typer

from cluster.blobs.faults import file_errors
from cluster.cli.app import EXIT_FAILED, EXIT_INTERRUPTED
from cluster.cli.console import err, out, print_json
from cluster.errors import DubflowError, ErrorCode
from cluster.languages import parse_language, parse_languages
from cluster.ledger.ledger import Ledger
from cluster.ledger.schema import upgrade
from cluster.series import parse_series
from cluster.settings import Profile, Settings
from dataflow.glossary import read_glossary
from dataflow.inputs import expand
from dataflow.languages import require, require_cloning
from dataflow.planning import check_engines, make_plan
from dataflow.progress import Bars, Lines
from dataflow.records import JobOptions
from dataflow.results import Result
from dataflow.session import Session
from dataflow.submission import Wanted
from dataflow.timecode import parse_timecode


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("dub")(dub)


def dub(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files, folders, patterns, s3:// objects.")],
    *,
    to: Annotated[list[str], typer.Option("--to", "-t", help="Target languages: es,fr", metavar="LANG[,LANG]")],
    source: Annotated[str, typer.Option("--from", "-s", help="Source language, or auto.", metavar="LANG")] = "auto",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path(),
    profile: Annotated[Profile | None, typer.Option(help="Choice of engines.")] = None,
    min_speakers: Annotated[int | None, typer.Option(min=1, help="At least so many people speak.")] = None,
    max_speakers: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    glossary: Annotated[Path | None, typer.Option(help="CSV file: source term,target term.")] = None,
    keep_background: Annotated[
        bool, typer.Option("--keep-background/--no-background", help="Keep music and effects under the dub.")
    ] = False,
    clone_voices: Annotated[
        bool, typer.Option("--clone-voices", help="Keep the speakers' own voices; by this you state that they agree.")
    ] = False,
    series: Annotated[str, typer.Option(help="Of this series: its people keep their voices.", metavar="NAME")] = "",
    start: Annotated[str, typer.Option(help="Dub from here: seconds or H:MM:SS.", metavar="T")] = "0",
    end: Annotated[str | None, typer.Option(help="Dub up to here.", metavar="T")] = None,
    overwrite: Annotated[bool, typer.Option("-y", help="Overwrite results that exist.")] = False,
    skip: Annotated[bool, typer.Option("-n", help="Leave results that exist, without an error.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, per input and language.")] = False,
) -> int:
    """Dub videos. What an interrupted run has finished is not done again."""
    if overwrite and skip:
        raise DubflowError(ErrorCode.INVALID_REQUEST, "-y and -n exclude each other; give one of them")
    if min_speakers and max_speakers and min_speakers > max_speakers:
        raise DubflowError(ErrorCode.INVALID_REQUEST, "--min-speakers is more than --max-speakers")
    settings = Settings(profile=profile) if profile else Settings()
    plan = make_plan(settings)
    wanted = Wanted(
        target_languages=parse_languages(to),
        source_language=None if source == "auto" else parse_language(source),
        folder=output,
        options=JobOptions(
            profile=plan.profile,
            min_speakers=min_speakers,
            max_speakers=max_speakers,
            glossary=read_glossary(glossary) if glossary else (),
            keep_background=keep_background,
            clone_voices=clone_voices,
            series=parse_series(series) if series else "",
            start=parse_timecode(start),
            end=parse_timecode(end) if end is not None else None,
        ),
        overwrite=overwrite,
        skip=skip,
    )
    check_engines(plan, settings, optional=keep_background)
    require(plan, wanted.source_language, wanted.target_languages)
    if clone_voices:
        require_cloning(plan)
    _require_folder(output)
    upgrade(settings.database)
    failed: list[Result] = []

    def report(result: Result) -> None:
        failed.extend([result] if result.failure else [])
        print_json(result.to_json()) if as_json else _print(result)

    found, missing = expand(inputs)
    for named, error in missing:
        report(Result.failed(named, error))
    with Bars(err) if err.is_terminal else Lines(err) as view:
        completed = Session(settings, plan, Ledger(settings.database), report).run(found, wanted, view)
    if not completed:
        err.print("dubflow: interrupted; run the same command again to go on where it stopped")
        return EXIT_INTERRUPTED
    return EXIT_FAILED if failed else 0


def _require_folder(folder: Path) -> None:
    """Find out before the work, not after it, whether its results can be written."""
    with file_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass


def _print(result: Result) -> None:
    """The dubbed file on stdout, errors and warnings on stderr."""
    if result.failure:
        where = f" ({result.language})" if result.language else ""
        err.print(f"dubflow: {result.input}{where}: {result.failure.code}: {result.failure.message}")
    elif result.output:
        out.print(result.output)
        for warning in result.report.get("warnings", ()):
            err.print(f"dubflow: {result.input} ({result.language}): warning: {warning}")
