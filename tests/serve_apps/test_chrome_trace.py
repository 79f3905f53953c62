from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import validate

from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Job, JobStatus, PartId, Stage, StageStatus
from cluster.ledger.timeline import Spell, Timeline
from serve_apps.chrome_trace import chrome_trace
from tests.fixtures.doors import doors, service_settings
from tests.fixtures.ledgers import claimed, request, scene

JOB = Job("j1", request(target_languages=("es", "fr")), JobStatus.COMPLETED, 1, 100.0, 0.0, 1.0)

TRACE_EVENTS = {
    "type": "object",
    "required": ["traceEvents", "displayTimeUnit"],
    "properties": {
        "displayTimeUnit": {"enum": ["ms", "ns"]},
        "traceEvents": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "ph", "pid", "tid", "args"],
                "properties": {"ph": {"enum": ["X", "M"]}, "pid": {"type": "integer"}, "tid": {"type": "integer"}},
                "if": {"properties": {"ph": {"const": "X"}}},
                "then": {
                    "required": ["ts", "dur", "cat"],
                    "properties": {
                        "ts": {"type": "integer", "minimum": 0},
                        "dur": {"type": "integer", "minimum": 0},
                    },
                },
            },
        },
    },
}
"""The parts of the Trace Event Format that are used."""

spells = st.builds(
    lambda stage, index, start, seconds, second: Spell(
        stage,
        ("fr" if second else "es") if stage.per_language else "",
        index,
        StageStatus.COMPLETED,
        1e9 + start,
        seconds,
    ),
    st.sampled_from(Stage),
    st.integers(0, 50),
    st.floats(0.0, 1e4),
    st.floats(0.0, 1e3),
    st.booleans(),
)


def threads(trace: dict[str, Any]) -> dict[tuple[int, int], list[dict[str, Any]]]:
    found: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for event in trace["traceEvents"]:
        if event["ph"] == "X":
            found.setdefault((event["pid"], event["tid"]), []).append(event)
    return found


@given(st.lists(spells, max_size=60))
def test_what_ran_at_the_same_time_is_never_on_one_thread(some: list[Spell]) -> None:
    trace = chrome_trace(Timeline(JOB, tuple(sorted(some, key=lambda spell: spell.started_at))))

    validate(trace, TRACE_EVENTS)
    found = threads(trace)
    assert sum(len(events) for events in found.values()) == len(some)
    for events in found.values():
        for before, after in pairwise(events):
            assert before["ts"] + before["dur"] <= after["ts"]
    assert min((event["ts"] for events in found.values() for event in events), default=0) == 0


def test_every_language_is_a_process_and_every_stage_a_thread(tmp_path: Path, sqlite_url: str) -> None:
    ledger = Ledger(sqlite_url)
    lease = claimed(ledger, target_languages=("es", "fr"))
    ledger.expect(lease, Stage.TRANSCRIPTION, "", 2)
    ledger.begin(lease, scene(0), "key")
    ledger.begin(lease, scene(1), "key")
    for index in (0, 1):
        ledger.finish(lease, scene(index), "key", seconds=60.0)
    for language in ("es", "fr"):
        ledger.expect(lease, Stage.TRANSLATION, language, 1)
        ledger.begin(lease, PartId(Stage.TRANSLATION, 0, language), "key")
    ledger.close()

    with doors(service_settings(tmp_path, sqlite_url)) as client:
        answer = client.get(f"/api/v1/jobs/{lease.job_id}/trace")

    assert answer.status_code == 200
    trace = answer.json()
    validate(trace, TRACE_EVENTS)
    names = {
        (event["pid"], event["tid"]): event["args"]["name"]
        for event in trace["traceEvents"]
        if event["name"] in {"process_name", "thread_name"}
    }
    assert [name for (_, thread), name in names.items() if thread == 0] == ["all languages", "es", "fr"]
    assert [name for name in names.values() if name.startswith("transcription")] == [
        "transcription",
        "transcription 1",  # the two parts ran at the same time
        "transcription 2",
    ]
    parts = [event for event in trace["traceEvents"] if event.get("cat") == "part" and event["pid"] == 1]
    assert [event["dur"] for event in parts] == [pytest.approx(60e6, abs=1)] * 2


def test_a_job_that_nobody_has_begun_is_an_empty_trace() -> None:
    assert chrome_trace(Timeline(JOB, ()))["traceEvents"] == []
