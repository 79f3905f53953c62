import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_apps.uploads.parts import MAX_OBJECT_PARTS, Parts, source_key

SIZES = st.integers(1, 64 * 2**30)


@given(SIZES, st.booleans())
def test_parts_cover_the_file_without_gaps_and_within_the_limits(size: int, direct: bool) -> None:
    parts = Parts.for_objects(size) if direct else Parts.for_chunks(size)
    last = parts.part(parts.count)

    assert parts.offset(1) == 0
    assert parts.offset(last.number) + last.size == size
    assert 0 < last.size <= parts.part_bytes
    assert all(part.size == parts.part_bytes for part in parts.some(1, 3) if part.number < parts.count)
    if direct:
        assert parts.count <= MAX_OBJECT_PARTS
        assert parts.part_bytes >= 5 * 2**20
    else:
        assert parts.part_bytes <= 16 * 2**20


def test_some_parts_end_with_the_last() -> None:
    parts = Parts(10, 4)

    assert [part.number for part in parts.some(2, 5)] == [2, 3]
    assert list(parts.some(4, 5)) == []


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.mp4", ".mp4"),
        ("a.MOV", ".mov"),
        ("a", ""),
        ("a.m/p4", ""),
        ("a.mp4 ", ""),
        ("../x.tar.gz", ".gz"),
        ("a.é", ""),
    ],
)
def test_a_name_gives_the_key_a_plain_suffix_and_nothing_else(name: str, suffix: str) -> None:
    assert source_key("acme", "0" * 32, name) == f"uploads/acme/{'0' * 32}/source{suffix}"
