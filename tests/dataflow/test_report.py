import json

import pytest

from actors.contracts.voices import Gender, VoiceTraits
from cluster.ledger.records import JobRequest, ScriptEdits
from dataflow.records import Casting, DubbedLine, Level, PlacedTake, Script, Speaker, Take, Timeline, Utterance
from dataflow.report import overlap_seconds, request_digest, script_document, timing_report
from dataflow.wording import Wording

REQUEST = JobRequest("file:///talk.mp4", "v1", ("es",), "file:///out", "talk")


def utterance(number: int, speaker: str, start: float, end: float) -> Utterance:
    return Utterance(f"u{number:04d}", speaker, start, end, f"line {number}", 0.9)


def placed(number: int, start: float, seconds: float, rate: float = 1.0) -> PlacedTake:
    take = Take(f"u{number:04d}", f"línea {number}", "es+m1", "k", 22_050, 10, seconds * rate, Level(0.1, 3), 0.5)
    return PlacedTake(take, start, seconds, rate, 1.0)


def script(*utterances: Utterance) -> Script:
    speakers = tuple(Speaker(s, VoiceTraits(Gender.MALE, 0.9, 110.0, 2.0, 1.0), 1.0, -20.0) for s in ("S1", "S2"))
    return Script("en", 0.987, 20.0, speakers, utterances, -20.0)


def timeline(*takes: PlacedTake, flags: dict[str, tuple[str, ...]] | None = None) -> Timeline:
    return Timeline(takes, (), 0.0, flags or {}, 20.0)


def test_the_document_has_the_promised_shape() -> None:
    what = script(utterance(1, "S1", 1.26, 3.95), utterance(2, "S2", 5.0, 6.0))
    plan = timeline(placed(1, 1.26, 2.65, 1.04), flags={"u0002": ("kept_original",)})
    wording = Wording({"u0001": DubbedLine("u0001", "línea")}, ScriptEdits(3, {"u0001": "línea 1"}))
    document = script_document(
        what,
        plan,
        Casting({"S1": "es+m1"}),
        wording,
        language="es",
        request=REQUEST,
        engines={"speech": "e"},
        report={"a": 1},
    )
    assert document["revision"] == 3
    assert document["format"] == "dubflow.script/1"
    assert document["source"] == {
        "uri": "file:///talk.mp4",
        "duration": 20.0,
        "language": "en",
        "language_probability": 0.987,
    }
    assert document["speakers"][0] == {"id": "S1", "gender": "male", "voice": "es+m1"}
    assert document["utterances"][0] == {
        "id": "u0001",
        "speaker": "S1",
        "start": 1.26,
        "end": 3.95,
        "source_text": "line 1",
        "target_text": "línea 1",
        "placed_start": 1.26,
        "placed_end": 3.91,
        "rate": 1.04,
        "flags": [],
        "machine_text": "línea",
        "budget_characters": 10,
    }
    assert document["utterances"][1]["flags"] == ["kept_original"]
    assert document["utterances"][1]["target_text"] == "line 2"
    assert document["report"] == {"a": 1}
    json.dumps(document)


def test_the_report_measures_fill_rates_and_overflow() -> None:
    what = script(utterance(1, "S1", 0, 2), utterance(2, "S2", 2, 4), utterance(3, "S1", 6, 8))
    plan = timeline(placed(1, 0, 2, 1.1), placed(2, 2.0, 1.0), placed(3, 6, 3, 1.3), flags={"u0003": ("overflow",)})
    report = timing_report(what, plan)
    assert report["utterances"] == 3
    assert report["speech_seconds"] == 6
    assert report["fill_ratio"] == pytest.approx(5 / 6, abs=1e-3)
    assert report["overflow_utterances"] == 1
    assert report["max_rate"] == 1.3
    assert report["rates"]["p50"] == 1.1


def test_overlap_counts_only_what_the_source_did_not_say_at_once() -> None:
    apart = script(utterance(1, "S1", 0, 2), utterance(2, "S2", 2, 4))
    together = script(utterance(1, "S1", 0, 3), utterance(2, "S2", 2, 4))
    plan = timeline(placed(1, 0, 3), placed(2, 2, 2))
    assert overlap_seconds(apart, plan) == 1.0
    assert overlap_seconds(together, plan) == 0.0


def test_an_empty_script_reports_nothing_and_divides_by_nothing() -> None:
    report = timing_report(script(), timeline())
    assert report["fill_ratio"] == 0.0
    assert report["max_rate"] == 1.0


def test_the_request_digest_tells_versions_and_options_apart() -> None:
    other_version = JobRequest("file:///talk.mp4", "v2", ("es",), "file:///out", "talk")
    other_options = JobRequest("file:///talk.mp4", "v1", ("es",), "file:///out", "talk", options={"start": 5.0})
    other_languages = JobRequest("file:///talk.mp4", "v1", ("es", "fr"), "file:///out", "talk")
    assert request_digest(REQUEST) == request_digest(other_languages)
    assert len({request_digest(one) for one in (REQUEST, other_version, other_options)}) == 3
