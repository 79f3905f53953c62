"""Scripts as editors see them."""

from collections.abc import Iterator
from typing import Any

from serve_apps.scripts.models import LineView, LineWarning, ScriptView
from serve_apps.scripts.reading import EditableScript

EDITED = "edited"
KEPT = "kept_original"
_OF_THE_SOURCE = frozenset({"low_confidence"})
"""Flags that a line keeps, whatever is written in its place."""


def script_view(script: EditableScript) -> ScriptView:
    """The document with the newest edits laid over."""
    document = script.document
    return ScriptView(
        format=document["format"],
        job_id=script.job_id,
        target_language=script.language,
        revision=script.edits.revision,
        made_revision=script.made.revision,
        draft=document.get("draft", False),
        source=document["source"],
        engines=document["engines"],
        speakers=document["speakers"],
        utterances=[_line(line, script) for line in script.utterances],
        report=document["report"],
    )


def _line(line: dict[str, Any], script: EditableScript) -> LineView:
    written, before = script.edits.texts.get(line["id"]), script.made.texts.get(line["id"])
    changed = written != before
    text = _text(line, written) if changed or written is not None else line["target_text"]
    flags = _flags(line, written) if changed else line["flags"]
    budget = line.get("budget_characters")
    return LineView(
        **{name: line[name] for name in ("id", "speaker", "start", "end", "source_text")},
        target_text=text,
        machine_text=line.get("machine_text"),
        edited=written is not None,
        changed=changed,
        **{name: line[name] for name in ("placed_start", "placed_end", "rate")},
        budget_characters=budget,
        flags=flags,
        warnings=list(_warnings(text, budget, kept=KEPT in flags)),
    )


def _text(line: dict[str, Any], written: str | None) -> str:
    if written is not None:
        return written
    machine: str | None = line.get("machine_text")
    return line["source_text"] if machine is None else machine


def _flags(line: dict[str, Any], written: str | None) -> list[str]:
    """What is known of a line before its new text is spoken."""
    flags = [] if written is None else [EDITED]
    kept = not written.strip() if written is not None else line.get("machine_text") is None
    return [*([KEPT] if kept else []), *flags, *(flag for flag in line["flags"] if flag in _OF_THE_SOURCE)]


def _warnings(text: str, budget: int | None, *, kept: bool) -> Iterator[LineWarning]:
    if kept:
        yield LineWarning(code=KEPT, message="the line keeps its original sound")
    elif budget is not None and len(text) > budget:
        message = f"{len(text) - budget} characters more than fit its time; it will be hurried, or run late"
        yield LineWarning(code="too_long", message=message)
