"""Editing through a running service: the script of a job, and having its changes spoken."""

import json
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from cluster.cli.console import err, out, print_json
from cluster.cli.jobs import JobId, Json
from cluster.cli.service_client import connect
from cluster.cli.service_commands import Server
from cluster.errors import DubflowError, ErrorCode

Language = Annotated[
    str | None, typer.Option("--language", "-l", help="Which one, where the job has several.", metavar="LANG")
]


class _Line(BaseModel):
    id: str
    target_text: str | None


class _Script(BaseModel):
    """What counts of a script that was changed."""

    revision: int
    utterances: list[_Line]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("script")(script)
    app.command("redub")(redub)


def script(
    job_id: JobId,
    *,
    language: Language = None,
    edit: Annotated[
        typer.FileText | None,
        typer.Option("--edit", help="A script that was printed and changed; - is stdin.", encoding="utf-8"),
    ] = None,
    as_json: Json = False,
    server: Server = None,
) -> None:
    """Print the script of a job, or take over what was changed in it: `target_text`, where null is the machine's.

    Nothing is spoken before `dubflow redub`.
    """
    with connect(server) as client:
        path = f"/jobs/{job_id}/script"
        current = client.get(path, language=language)
        if edit is None:
            print_json(current) if as_json else out.print(json.dumps(current, ensure_ascii=False, indent=1))
            return
        wanted = _read(edit)
        known = {line["id"]: line for line in current["utterances"]}
        changes = [line.model_dump() for line in wanted.utterances if _differs(line, known.get(line.id))]
        body = {"revision": wanted.revision, "utterances": changes}
        answer = client.patch(path, body, language=language) if changes else current
    for line in _lines_of(answer, changes):
        for warning in line["warnings"]:
            err.print(f"{line['id']}: {warning['message']}")
    if as_json:
        summary = {name: answer[name] for name in ("job_id", "target_language", "revision")}
        print_json({**summary, "changed": len(changes)})
    else:
        out.print(f"{job_id} {answer['target_language']} revision {answer['revision']}: {len(changes)} lines changed")


def redub(job_id: JobId, *, language: Language = None, as_json: Json = False, server: Server = None) -> None:
    """Speak the lines that were edited; for a job that waits for its review, go on."""
    with connect(server) as client:
        answer = client.post(f"/jobs/{job_id}/redub", {} if language is None else {"language": language})
    print_json(answer) if as_json else out.print(f"{job_id} {answer['status']}")


def _read(file: typer.FileText) -> _Script:
    try:
        return _Script.model_validate_json(file.read())
    except ValueError as error:
        message = "the file is no script; write one with `dubflow script JOB > FILE` and change its target_text"
        raise DubflowError(ErrorCode.INVALID_REQUEST, message) from error


def _differs(line: _Line, known: dict[str, Any] | None) -> bool:
    """Whether a line is not as the service knows it; one that it does not know is left for it to refuse."""
    if known is None:
        return True
    return bool(known["edited"] if line.target_text is None else line.target_text != known["target_text"])


def _lines_of(answer: dict[str, Any], changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    changed = {line["id"] for line in changes}
    return [line for line in answer["utterances"] if line["id"] in changed]
