import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dataflow.records import JobOptions as FlowOptions
from dataflow.records import from_plain, to_plain
from serve_apps.options import FLOW_OPTIONS, JobOptions

speakers = st.none() | st.integers(1, 50)
options = st.builds(
    JobOptions,
    min_speakers=speakers,
    max_speakers=st.none(),
    glossary=st.lists(st.tuples(st.text(min_size=1, max_size=9), st.text(min_size=1, max_size=9)), max_size=3),
    keep_background=st.booleans(),
    series=st.sampled_from(["", "Life on Mars"]),
    start=st.floats(0, 100),
    end=st.none() | st.floats(101, 1e6),
)


def test_the_doors_know_every_option_of_the_flow() -> None:
    assert {field.name for field in dataclasses.fields(FlowOptions)} - {"profile"} == FLOW_OPTIONS


@given(options)
def test_the_flow_reads_what_the_doors_write(chosen: JobOptions) -> None:
    read = from_plain(FlowOptions, json.loads(json.dumps(chosen.for_flow())))
    assert {name: getattr(read, name) for name in FLOW_OPTIONS} == {
        name: getattr(chosen, name) for name in FLOW_OPTIONS
    }
    assert to_plain(read) == {"profile": FlowOptions().profile, **chosen.for_flow()}


@pytest.mark.parametrize(
    ("written", "kept"), [("", ""), ("   ", ""), (" Life\ton  Mars ", "Life on Mars"), ("Caf\u0065\u0301", "Caf\u00e9")]
)
def test_a_series_has_one_name_however_it_is_written(written: str, kept: str) -> None:
    assert JobOptions(series=written).series == kept


def test_defaults_are_those_of_the_flow() -> None:
    assert from_plain(FlowOptions, JobOptions().for_flow()) == FlowOptions()


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_speakers": 0},
        {"max_speakers": 51},
        {"start": -1},
        {"end": 0},
        {"start": 5, "end": 5},
        {"start": float("nan")},
        {"glossary": {"": "x"}},
        {"glossary": [["a"]]},
        {"glossary": {str(number): "x" for number in range(1001)}},
        {"webhook_url": "ftp://example.org"},
        {"speaker": 1},
        {"series": "a\0b"},
        {"series": "x" * 101},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        JobOptions.model_validate(wrong)
