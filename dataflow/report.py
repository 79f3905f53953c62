"""The script and report of a finished language, in the promised format (`dubflow.script/1`)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from actors.contracts.audio import Span
from cluster.blobs.contract import BlobStore
from cluster.errors import DubflowError
from cluster.keys import digest
from cluster.ledger.records import Job, JobRequest, StageState
from dataflow.budget import budgets
from dataflow.naming import file_name
from dataflow.records import Casting, DubbedLine, PlacedTake, Script, Speaker, Timeline, Utterance
from dataflow.wording import Wording

FORMAT = "dubflow.script/1"


def script_document(
    script: Script,
    timeline: Timeline,
    casting: Casting,
    wording: Wording,
    *,
    language: str,
    request: JobRequest,
    engines: Mapping[str, str],
    report: Mapping[str, Any],
    paces: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """What `<stem>.<lang>.json` holds; times in seconds on the source's clock, rounded to the millisecond.

    Before anything is spoken the lines stand where their source is.
    """
    placed = {one.take.utterance_id: one for one in timeline.takes}
    machine, lines = wording.machine, wording.lines
    characters = budgets(script, timeline, casting, language, paces)
    return {
        "format": FORMAT,
        "source": {
            "uri": request.source_uri,
            "duration": round(script.seconds, 3),
            "language": script.language,
            "language_probability": round(script.language_probability, 3),
        },
        "target_language": language,
        "revision": wording.edits.revision,
        "request": request_digest(request),
        "engines": dict(engines),
        "speakers": [_speaker(speaker, casting) for speaker in script.speakers],
        "utterances": [
            {
                **_utterance(utterance, placed.get(utterance.id), timeline.flags.get(utterance.id, ()), lines),
                "machine_text": machine[utterance.id].text if utterance.id in machine else None,
                "budget_characters": characters[utterance.id],
            }
            for utterance in script.utterances
        ],
        "report": dict(report),
    }


def _speaker(speaker: Speaker, casting: Casting) -> dict[str, Any]:
    voice = casting.voices.get(speaker.id, "")
    known = casting.known.get(speaker.id)
    if known is None:
        return {"id": speaker.id, "gender": speaker.traits.gender.value, "voice": voice}
    person = {"library": known.library, "name": known.name}
    return {"id": speaker.id, "gender": known.gender.value, "voice": voice, **person}


def _utterance(
    utterance: Utterance, placed: PlacedTake | None, flags: Sequence[str], lines: Mapping[str, DubbedLine]
) -> dict[str, Any]:
    heard = Span(placed.start, placed.start + placed.seconds) if placed else utterance.span
    return {
        "id": utterance.id,
        "speaker": utterance.speaker,
        "start": round(utterance.start, 3),
        "end": round(utterance.end, 3),
        "source_text": utterance.text,
        "target_text": _text(utterance, placed, flags, lines),
        "placed_start": round(heard.start, 3),
        "placed_end": round(heard.end, 3),
        "rate": round(placed.rate, 3) if placed else 1.0,
        "flags": list(flags),
    }


def _text(
    utterance: Utterance, placed: PlacedTake | None, flags: Sequence[str], lines: Mapping[str, DubbedLine]
) -> str:
    """What is heard of a line, or is going to be."""
    if placed:
        return placed.take.text
    return utterance.text if "kept_original" in flags else lines[utterance.id].text


def request_digest(request: JobRequest) -> str:
    """Tells whether a result is what is asked for again: the same version of the source, under the same options."""
    return digest(request.source_uri, request.source_version, request.source_language, request.options)


def read_document(store: BlobStore, stem: str, language: str) -> dict[str, Any]:
    """The script beside a result; empty where there is none, or none of this program."""
    try:
        document = json.loads(store.get_bytes(file_name(stem, language, ".json")))
    except (DubflowError, ValueError):
        return {}
    return document if isinstance(document, dict) and document.get("format") == FORMAT else {}


def timing_report(script: Script, timeline: Timeline) -> dict[str, Any]:
    """How well the dub fits the source's time."""
    rates = [placed.rate for placed in timeline.takes] or [1.0]
    speech = sum(utterance.span.seconds for utterance in script.utterances)
    return {
        "utterances": len(script.utterances),
        "speech_seconds": round(speech, 3),
        "fill_ratio": round(_filled(script, timeline) / speech, 3) if speech else 0.0,
        "overlap_seconds": round(overlap_seconds(script, timeline), 3),
        "overflow_utterances": sum("overflow" in flags for flags in timeline.flags.values()),
        "max_rate": round(max(rates), 3),
        "rates": {"p50": round(float(np.percentile(rates, 50)), 3), "p95": round(float(np.percentile(rates, 95)), 3)},
    }


def stage_report(job: Job, stages: Sequence[StageState], language: str) -> dict[str, Any]:
    """How long the stages of a language took, and what went wrong."""
    return {
        "stage_seconds": {
            state.stage.value: round(state.seconds, 3) for state in stages if state.language in {"", language}
        },
        "warnings": [f"{code}: {message}" for code, message in job.warnings],
    }


def _filled(script: Script, timeline: Timeline) -> float:
    slots = {utterance.id: utterance.span for utterance in script.utterances}
    return sum(
        slots[placed.take.utterance_id].overlap(Span(placed.start, placed.start + placed.seconds))
        for placed in timeline.takes
    )


def overlap_seconds(script: Script, timeline: Timeline) -> float:
    """For how long two takes sound at once that were not said at once in the source."""
    slots = {utterance.id: utterance.span for utterance in script.utterances}
    total = 0.0
    sounding: list[tuple[Span, Span]] = []
    for placed in timeline.takes:
        slot, heard = slots[placed.take.utterance_id], Span(placed.start, placed.start + placed.seconds)
        sounding = [(s, h) for s, h in sounding if h.end > heard.start]
        total += sum(h.overlap(heard) for s, h in sounding if not s.overlap(slot))
        sounding.append((slot, heard))
    return total
