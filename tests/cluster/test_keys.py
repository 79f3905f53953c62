import json
import math
from enum import StrEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import DubflowError, ErrorCode
from cluster.keys import digest

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types all the way down, as JSON tells them apart."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def test_a_digest_is_pinned_because_stored_artefacts_are_found_by_it() -> None:
    assert digest("scene", {"b": [1, 2.5, None], "a": "é"}) == "0b4c241c856fd61da96d536591d1a774"


@given(VALUES)
def test_a_digest_is_32_hex_characters_and_always_the_same(value: Any) -> None:
    assert digest(value) == digest(value)
    assert len(digest(value)) == 32
    int(digest(value), 16)


@given(st.dictionaries(st.text(), VALUES, min_size=2, max_size=6), st.randoms())
def test_the_order_of_a_mapping_is_of_no_importance(mapping: dict[str, Any], random: Any) -> None:
    items = list(mapping.items())
    random.shuffle(items)

    assert digest(dict(items)) == digest(mapping)


@given(st.lists(VALUES, max_size=4), st.lists(VALUES, max_size=4))
def test_what_differs_has_another_digest(left: list[Any], right: list[Any]) -> None:
    assert (digest(*left) == digest(*right)) is same(left, right)


def test_structure_counts() -> None:
    alike = [("a", "b"), ("ab",), (["a", "b"],), ("a", ["b"]), ('a","b',), ("a",), (), ("",), (None,), ({},), ([],)]

    assert len({digest(*parts) for parts in alike}) == len(alike)


def test_numbers_of_different_types_are_different_values() -> None:
    assert len({digest(value) for value in (1, 1.0, True, "1")}) == 4


def test_lists_and_tuples_are_the_same() -> None:
    assert digest((1, ["x"])) == digest([1, ("x",)])


def test_floats_are_written_as_short_as_reads_back() -> None:
    assert digest(0.1) == digest(float("0.1000000000000000055511151231257827"))
    assert digest(0.1) == digest(np.float64(0.1))
    assert digest(0.1) != digest(math.nextafter(0.1, 1))


def test_enumerated_text_is_text() -> None:
    class Colour(StrEnum):
        RED = "red"

    assert digest(Colour.RED) == digest("red")


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        b"bytes",
        {1: "x"},
        {None: "x"},
        {1, 2},
        pytest.param(object(), id="object"),
        np.float32(0.1),
        [{"a": math.nan}],
    ],
    ids=repr,
)
def test_what_json_cannot_tell_apart_is_refused(value: Any) -> None:
    with pytest.raises(DubflowError) as refused:
        digest(value)

    assert refused.value.code is ErrorCode.INVALID_REQUEST
