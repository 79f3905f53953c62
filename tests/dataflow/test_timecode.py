import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import DubflowError, ErrorCode
from dataflow.timecode import parse_timecode


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("90", 90), ("90.5", 90.5), ("1:30", 90), ("1:02:03.5", 3723.5), (" 5 ", 5)]
)
def test_seconds_and_clock_times(text: str, seconds: float) -> None:
    assert parse_timecode(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "-5", "1:75", "1:2:3:4", "1e3", "5s", "inf"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(DubflowError, match="1:02:03") as caught:
        parse_timecode(text)
    assert caught.value.code is ErrorCode.INVALID_REQUEST


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_clock_times_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert parse_timecode(f"{hours}:{minutes:02d}:{seconds:02d}") == hours * 3600 + minutes * 60 + seconds
