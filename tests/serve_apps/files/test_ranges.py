"""The rules of RFC 9110, 13 (conditions) and 14 (ranges), one by one."""

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from serve_apps.files.ranges import FileState, Selection, select

STATE = FileState(1000, '"abc"', "Tue, 24 Nov 2026 03:00:00 GMT")
WHOLE = Selection(HTTPStatus.OK, 0, 1000)
NONE = Selection(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)


def part(start: int, end: int) -> Selection:
    return Selection(HTTPStatus.PARTIAL_CONTENT, start, end)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", part(0, 1)),
        ("bytes=0-499", part(0, 500)),
        ("bytes=500-", part(500, 1000)),
        ("bytes=-500", part(500, 1000)),
        ("bytes=-5000", part(0, 1000)),
        ("bytes=999-", part(999, 1000)),
        ("bytes=0-99999", part(0, 1000)),
        ("Bytes = 1-2 ", part(1, 3)),
        ("bytes=0-0,-1", part(0, 1)),
        ("bytes=5000-,10-19", part(10, 20)),
        ("bytes= ,10-19,", part(10, 20)),
        ("bytes=1000-", NONE),
        ("bytes=1000-2000,5000-", NONE),
        ("bytes=-0", NONE),
        # What is not valid is ignored.
        ("", WHOLE),
        ("bytes=", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=9-1", WHOLE),
        ("bytes=0-1,9-1", WHOLE),
        ("bytes=a-b", WHOLE),
        ("bytes=+1-2", WHOLE),
        ("bytes=1.5-2", WHOLE),
        ("bytes=\u0661-\u0662", WHOLE),
        ("lines=1-2", WHOLE),
        ("bytes 1-2", WHOLE),
        ("bytes=" + "9" * 50 + "-", WHOLE),
    ],
)
def test_ranges(header: str, expected: Selection) -> None:
    headers = Headers(raw=[(b"range", header.encode())])

    assert select("GET", headers, STATE) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"if-range": '"abc"'}, part(1, 3)),
        ({"if-range": 'W/"abc"'}, WHOLE),
        ({"if-range": '"old"'}, WHOLE),
        ({"if-range": "Tue, 24 Nov 2026 03:00:00 GMT"}, part(1, 3)),
        ({"if-range": "Tue, 24 Nov 2026 02:59:59 GMT"}, WHOLE),
        ({"if-match": '"abc"'}, part(1, 3)),
        ({"if-match": '"x", "abc"'}, part(1, 3)),
        ({"if-match": "*"}, part(1, 3)),
        ({"if-match": 'W/"abc"'}, Selection(HTTPStatus.PRECONDITION_FAILED)),
        ({"if-match": '"old"'}, Selection(HTTPStatus.PRECONDITION_FAILED)),
        ({"if-none-match": '"abc"'}, Selection(HTTPStatus.NOT_MODIFIED)),
        ({"if-none-match": 'W/"abc"'}, Selection(HTTPStatus.NOT_MODIFIED)),
        ({"if-none-match": "*"}, Selection(HTTPStatus.NOT_MODIFIED)),
        ({"if-none-match": '"old"'}, part(1, 3)),
        ({"if-modified-since": "Tue, 24 Nov 2026 03:00:00 GMT"}, Selection(HTTPStatus.NOT_MODIFIED)),
        ({"if-none-match": '"old"', "if-modified-since": "Tue, 24 Nov 2026 03:00:00 GMT"}, part(1, 3)),
    ],
)
def test_conditions(headers: dict[str, str], expected: Selection) -> None:
    assert select("GET", Headers({"range": "bytes=1-2", **headers}), STATE) == expected


def test_only_get_has_ranges() -> None:
    assert select("HEAD", Headers({"range": "bytes=1-2"}), STATE) == WHOLE


@pytest.mark.parametrize(("header", "expected"), [("bytes=10-", part(10, 110)), ("bytes=-500", part(500, 600))])
def test_a_long_range_is_answered_with_its_first_slice(header: str, expected: Selection) -> None:
    assert select("GET", Headers({"range": header}), STATE, most=100) == expected
    assert select("GET", Headers({}), STATE, most=100) == WHOLE


def test_an_empty_file_has_no_range_that_can_be_met() -> None:
    empty = FileState(0, '"0"', "")

    assert select("GET", Headers({"range": "bytes=0-"}), empty) == NONE
    assert select("GET", Headers({}), empty) == Selection(HTTPStatus.OK, 0, 0)


@given(st.text(st.characters(codec="latin-1"), max_size=40).map("bytes={}".format), st.integers(0, 2000))
def test_whatever_is_asked_the_answer_lies_within_the_file(header: str, size: int) -> None:
    found = select(
        "GET", Headers(raw=[(b"range", header.encode("latin-1"))]), FileState(size, '"a"', "never"), most=100
    )

    assert 0 <= found.start <= found.end <= size
    assert found.status is not HTTPStatus.PARTIAL_CONTENT or 0 < found.end - found.start <= 100
