from math import inf, isclose

from hypothesis import given
from hypothesis import strategies as st

from dataflow.loudness import SILENT, combine, lufs, power_of
from dataflow.records import Level


def test_pieces_add_up_weighted_by_length() -> None:
    assert combine([]) == SILENT
    assert combine([Level(0.2, 30), SILENT]) == Level(0.2, 30)
    assert combine([Level(0.2, 30), Level(0.4, 10)]) == Level(0.25, 40)


@given(st.floats(-60, 0))
def test_loudness_and_power_are_inverse(loudness: float) -> None:
    assert isclose(lufs(power_of(loudness)), loudness, abs_tol=1e-9)


def test_silence_has_no_loudness() -> None:
    assert lufs(0.0) == -inf
