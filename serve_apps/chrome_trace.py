"""A job's timeline as a Chrome trace: to be dropped into https://ui.perfetto.dev or `chrome://tracing`."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from cluster.ledger.records import Stage
from cluster.ledger.timeline import Spell, Timeline

_MICROSECONDS = 1e6
_ORDER = {stage: index for index, stage in enumerate(Stage)}


def chrome_trace(timeline: Timeline) -> dict[str, Any]:
    """The trace: a process for what is done once, and one for each language; a thread for each stage.

    Parts that ran at the same time get threads of their own below their stage. Times count from the first beginning.
    """
    spells = timeline.spells
    origin = min((spell.started_at for spell in spells), default=0.0)
    languages = ["", *timeline.job.request.target_languages]
    events = [
        event
        for process, language in enumerate(languages, start=1)
        for event in _process(process, language, [one for one in spells if one.language == language], origin)
    ]
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {"job_id": timeline.job.id, "status": timeline.job.status, "origin": origin},
    }


def _process(process: int, language: str, spells: Sequence[Spell], origin: float) -> Iterator[dict[str, Any]]:
    if not spells:
        return
    yield _named("process_name", language or "all languages", process)
    thread = 0
    for stage, found in groupby(sorted(spells, key=lambda one: _ORDER[one.stage]), lambda one: one.stage):
        for number, lane in enumerate(_lanes(found)):
            thread += 1
            yield _named("thread_name", stage.value if not number else f"{stage.value} {number}", process, thread)
            yield _named("thread_sort_index", thread, process, thread)
            yield from (_complete(spell, process, thread, origin) for spell in lane)


def _lanes(spells: Iterable[Spell]) -> list[list[Spell]]:
    """The stage as a whole in a lane of its own, then its parts in as few lanes as they need not to overlap."""
    whole: list[Spell] = []
    lanes: list[list[Spell]] = []
    for spell in sorted(spells, key=lambda one: one.started_at):
        if spell.index is None:
            whole.append(spell)
            continue
        free = next((lane for lane in lanes if _end(lane[-1]) <= spell.started_at), None)
        if free is None:
            lanes.append([spell])
        else:
            free.append(spell)
    return [whole, *lanes]


def _end(spell: Spell) -> float:
    return spell.started_at + spell.seconds


def _complete(spell: Spell, process: int, thread: int, origin: float) -> dict[str, Any]:
    began, ended = (round((moment - origin) * _MICROSECONDS) for moment in (spell.started_at, _end(spell)))
    args: dict[str, Any] = {"status": spell.status.value}
    if spell.index is not None:
        args |= {"index": spell.index, "attempts": spell.attempts, "error": spell.error}
    return {
        "name": spell.stage.value if spell.index is None else f"{spell.stage.value} {spell.index}",
        "cat": "stage" if spell.index is None else "part",
        "ph": "X",
        "ts": began,
        "dur": ended - began,
        "pid": process,
        "tid": thread,
        "args": args,
    }


def _named(what: str, value: str | int, process: int, thread: int = 0) -> dict[str, Any]:
    key = "sort_index" if what.endswith("sort_index") else "name"
    return {"name": what, "ph": "M", "pid": process, "tid": thread, "args": {key: value}}
