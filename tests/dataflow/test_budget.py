import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.contracts.voices import Gender, VoiceTraits
from dataflow.budget import budgets, expected
from dataflow.paces import usual_rate
from dataflow.records import Casting, Level, PlacedTake, Script, Speaker, Take, Timeline, Utterance
from dataflow.timing import FREE_RATE, Line, place

CASTING = Casting({"S1": "slow", "S2": "fast"})


def script(*utterances: tuple[str, float, float]) -> Script:
    people = tuple(Speaker(s, VoiceTraits(Gender.MALE, 0.9, 110.0, 2.0, 1.0), 1.0, -20.0) for s in CASTING.voices)
    said = tuple(Utterance(f"u{i}", who, start, end, "words", 0.9) for i, (who, start, end) in enumerate(utterances))
    return Script("en", 0.99, 60.0, people, said, -20.0)


def timeline(*takes: tuple[str, str, float]) -> Timeline:
    """Takes by voice, text and natural seconds."""
    placed = [
        PlacedTake(Take("u0", text, voice, "k", 16_000, 10, seconds, Level(0.1, 3), 0.5), 0.0, seconds, 1.0, 1.0)
        for voice, text, seconds in takes
    ]
    return Timeline(tuple(placed), (), 0.0, {}, 60.0)


def test_a_line_may_have_what_its_voice_says_in_its_time() -> None:
    heard = timeline(("slow", "x" * 20, 2.0), ("fast", "x" * 40, 2.0))
    found = budgets(script(("S1", 10, 12), ("S2", 20, 22)), heard, CASTING, "es")
    seconds = 2.0 + 1.5  # the slot, and the silence after it
    assert found == {"u0": int(seconds * FREE_RATE * 10), "u1": int(seconds * FREE_RATE * 20)}


def test_a_voice_that_was_not_heard_is_taken_to_speak_like_the_others() -> None:
    found = budgets(script(("S1", 10, 12), ("S2", 20, 22)), timeline(("slow", "x" * 20, 2.0)), CASTING, "es")
    assert found["u0"] == found["u1"]


@pytest.mark.parametrize("language", ["es", "de", "zh-Hant"])
def test_before_anything_was_spoken_the_language_tells(language: str) -> None:
    found = budgets(script(("S1", 10, 12)), timeline(), CASTING, language)
    assert (
        found == {"u0": int(3.5 * FREE_RATE * usual_rate(language))} == expected(script(("S1", 10, 12)), language, {})
    )


def test_before_anything_was_spoken_each_voice_may_have_what_it_is_expected_to_say() -> None:
    lines, paces = script(("S1", 10, 12), ("S2", 20, 22)), {"S1": 10.0, "S2": 20.0}
    found = expected(lines, "es", paces)
    assert found == {"u0": int(3.5 * FREE_RATE * 10), "u1": int(3.5 * FREE_RATE * 20)}
    assert budgets(lines, timeline(), CASTING, "es", paces) == found


@given(
    spans=st.lists(st.tuples(st.floats(0.3, 8), st.floats(0.1, 4)), min_size=1, max_size=5),
    rate=st.floats(8, 25),
)
def test_texts_within_their_budgets_fit_and_are_never_hurried(spans: list[tuple[float, float]], rate: float) -> None:
    clock, lines = 0.0, []
    for seconds, pause in spans:
        lines.append(("S1", clock, clock + seconds))
        clock += seconds + pause
    found = budgets(script(*lines), timeline(("slow", "x" * 1000, 1000 / rate)), CASTING, "es")
    placed = place([Line("S1", u.span, found[u.id] / rate) for u in script(*lines).utterances], 60.0)
    assert not any(one.overflow for one in placed)
    assert all(one.rate <= FREE_RATE + 1e-6 for one in placed)
