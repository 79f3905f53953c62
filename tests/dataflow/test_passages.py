from hypothesis import given
from hypothesis import strategies as st

from dataflow.passages import PASSAGE_LINES, PASSAGE_SECONDS, Passage, cut_into_passages
from dataflow.records import Utterance


def utterances(spans: list[tuple[float, float]]) -> list[Utterance]:
    clock, made = 0.0, []
    for i, (pause, seconds) in enumerate(spans):
        made.append(Utterance(f"u{i}", "S1", clock + pause, clock + pause + seconds, "x", 1.0))
        clock += pause + seconds
    return made


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 15)), max_size=200))
def test_passages_hold_every_utterance_once_and_in_order(spans: list[tuple[float, float]]) -> None:
    lines = utterances(spans)
    passages = cut_into_passages(lines)
    assert [p.index for p in passages] == list(range(len(passages)))
    assert [i for p in passages for i in range(p.first, p.last)] == list(range(len(lines)))
    for passage in passages:
        assert passage.last - passage.first <= PASSAGE_LINES
        spoken = sum(line.span.seconds for line in lines[passage.first : passage.last])
        assert spoken <= PASSAGE_SECONDS + 15


def test_without_speech_there_is_one_empty_passage() -> None:
    assert cut_into_passages([]) == (Passage(0, 0, 0),)


def test_a_passage_prefers_to_end_at_a_long_pause() -> None:
    spans = [(0.2, 5.0)] * 8 + [(3.0, 5.0)] + [(0.2, 5.0)] * 5
    assert cut_into_passages(utterances(spans))[0].last == 8
