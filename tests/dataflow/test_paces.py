"""How fast voices are expected to speak: learned from their takes, written down for each job."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dataflow.budget import expected as budget
from dataflow.paces import CLONED, SOURCES_KEPT, STEP, TAKE_SECONDS, VOICE_SECONDS, blend, heard, rates, usual_rate
from dataflow.records import (
    Casting,
    Heard,
    JobOptions,
    Level,
    PaceHistory,
    Paces,
    Script,
    Take,
    from_json,
    to_json,
    to_plain,
)
from tests.fixtures import tones
from tests.fixtures.flows import Row, SteppedFlow

USUAL = usual_rate("es")
LENGTHS = st.integers(10, 120)
USUAL_RATES = st.floats(USUAL / 2 + 0.1, USUAL * 2 - 0.1)


def take(characters: int, seconds: float, voice: str = "v") -> Take:
    return Take("u", "x" * characters, voice, "k", 16_000, 10, seconds, Level(0.1, 3), 0.5)


def estimate(takes: list[Take]) -> float:
    return blend(USUAL, heard(takes, USUAL), VOICE_SECONDS)


@pytest.mark.parametrize(
    ("language", "rate"),
    [
        ("en", 15.0),
        ("es", 15.3),
        ("de", 13.6),
        ("ar", 9.3),
        ("zh-Hant", 5.0),
        ("zh", 5.0),
        ("ja", 8.0),
        ("ko", 7.0),
        ("eu", 15.0),
    ],
)
def test_before_anything_was_heard_the_language_tells(language: str, rate: float) -> None:
    assert usual_rate(language) == pytest.approx(rate, abs=0.05)
    (told,) = rates(PaceHistory(), ["v"], language).values()
    assert told == pytest.approx(rate, abs=STEP / 2)


@given(rate=USUAL_RATES, lengths=st.lists(LENGTHS, max_size=60))
def test_the_true_rate_is_found_the_longer_a_voice_is_heard(rate: float, lengths: list[int]) -> None:
    seconds = sum(min(n / rate, TAKE_SECONDS) for n in lengths)
    left = abs(USUAL - rate) * VOICE_SECONDS / (VOICE_SECONDS + seconds)
    assert abs(estimate([take(n, n / rate) for n in lengths]) - rate) == pytest.approx(left, abs=1e-6)


@given(
    rate=st.floats(10, 22),
    lengths=st.lists(LENGTHS, min_size=30, max_size=40),
    characters=st.integers(1, 2000),
    seconds=st.floats(0.01, 500),
)
def test_one_take_that_went_wrong_changes_little(
    rate: float, lengths: list[int], characters: int, seconds: float
) -> None:
    takes = [take(n, n / rate) for n in lengths]
    assume(sum(one.natural_seconds for one in takes) > 60)
    assert estimate([*takes, take(characters, seconds)]) == pytest.approx(estimate(takes), rel=0.25)


@given(
    lengths=st.lists(LENGTHS, max_size=10),
    seconds=st.floats(0.2, 30),
    fewer=st.integers(1, 300),
    more=st.integers(0, 300),
)
def test_who_says_more_in_the_same_time_is_not_taken_for_slower(
    lengths: list[int], seconds: float, fewer: int, more: int
) -> None:
    takes = [take(n, n / 14) for n in lengths]
    assert estimate([*takes, take(fewer + more, seconds)]) >= estimate([*takes, take(fewer, seconds)]) - 1e-9


def test_a_new_voice_is_taken_to_speak_like_the_others_of_its_engine() -> None:
    told = PaceHistory(tuple((f"s{i}", {"slow": Heard(1000, 100)}) for i in range(10)))
    found = rates(told, ["slow", "new"], "es")
    assert found["slow"] == 10.0
    assert found["slow"] <= found["new"] < USUAL - 3


def budgets_of(flow: SteppedFlow) -> list[dict[str, float]]:
    kept = [key for key in flow.blobs.keys("artefacts") if "/paces/" in key]
    return [from_json(Paces, flow.blobs.get_bytes(key)).by_speaker for key in kept]


def test_translations_are_asked_for_at_the_rate_that_earlier_sources_told(
    stepped_flow: SteppedFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataflow.paces.ENGINE_SECONDS", 1.0)
    monkeypatch.setattr("dataflow.paces.VOICE_SECONDS", 1.0)
    flow = stepped_flow
    asked: list[Row] = []

    def look(stage: str, rows: list[Row]) -> list[Row]:
        asked.extend(rows if stage == "JoinScript" else [])
        return rows

    flow.submit(tones.video(flow.runs.folder / "a.m4a", 12, picture=False), "es")
    flow.run(look)
    (before,) = budgets_of(flow)
    assert set(before.values()) == {15.5}  # as people read aloud
    flow.submit(tones.video(flow.runs.folder / "b.m4a", 13, picture=False), "es")
    flow.run(look)
    after = next(one for one in budgets_of(flow) if one != before)
    assert all(rate > 15.5 for rate in after.values())  # the simulated voices say a character in 0.06 s

    script = from_json(Script, flow.blobs.get_bytes(asked[-1]["script_key"]))
    casting = from_json(Casting, flow.blobs.get_bytes(asked[-1]["casting_key"]))
    assert set(after) == set(casting.voices)
    assert sum(budget(script, "es", after).values()) > sum(budget(script, "es", {}).values())


def test_what_was_learned_meanwhile_changes_nothing_of_a_source_that_is_dubbed_again(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    film = tones.video(flow.runs.folder / "a.m4a", 12, picture=False)
    flow.submit(film, "es")
    assert [name for capability, name in flow.run() if capability == "translation"]
    (key,) = flow.blobs.keys("paces")
    once = flow.blobs.get_bytes(key)
    flow.submit(film, "es", stem="again")
    assert not [name for capability, name in flow.run() if capability == "translation"]
    assert flow.blobs.get_bytes(key) == once  # a source counts once


def test_of_cloned_voices_nothing_stays_but_what_they_tell_of_their_engine(stepped_flow: SteppedFlow) -> None:
    flow = stepped_flow
    film = tones.video(flow.runs.folder / "a.m4a", 24, picture=False)
    flow.submit(film, "es", options=to_plain(JobOptions(clone_voices=True)))
    flow.run()
    (key,) = flow.blobs.keys("paces")
    ((_, told),) = from_json(PaceHistory, flow.blobs.get_bytes(key)).sources
    assert told.keys() == {CLONED}
    assert told[CLONED].seconds > 5


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        (to_json(PaceHistory(tuple((f"s{i}", {"v": Heard(10, 1)}) for i in range(SOURCES_KEPT + 5)))), SOURCES_KEPT),
        (b"{", 1),
    ],
    ids=["more than are kept", "what cannot be read"],
)
def test_only_the_latest_sources_are_kept(stepped_flow: SteppedFlow, before: bytes, kept: int) -> None:
    flow = stepped_flow
    film = tones.video(flow.runs.folder / "a.m4a", 6, picture=False)
    flow.submit(film, "es")
    flow.run()
    (key,) = flow.blobs.keys("paces")
    flow.blobs.put_bytes(key, before)
    flow.submit(film, "es", stem="again")
    flow.run()
    assert len(json.loads(flow.blobs.get_bytes(key))["sources"]) == kept
