import os
import struct
from pathlib import Path

import pytest

from dataflow.media.child.structure import Structure, inspect
from tests.fixtures.media import Picture, Track, cut, tone, write


def structure(path: Path) -> Structure:
    fd = os.open(path, os.O_RDONLY)
    try:
        return inspect(fd)
    finally:
        os.close(fd)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "aac"), ("a.mov", "aac"), ("a.mkv", "aac"), ("a.avi", "libmp3lame")]
)
def test_missing_bytes_are_counted_exactly(tmp_path: Path, name: str, codec: str) -> None:
    picture = Picture(codec="mpeg4", options={})
    whole = write(tmp_path / name, picture, [Track(tone(1), codec=codec)], options={"movflags": "+faststart"})
    partial = cut(whole, tmp_path / "cut", 0.7)

    assert structure(whole).missing_bytes == 0
    lacking = whole.stat().st_size - partial.stat().st_size
    assert structure(partial).missing_bytes == pytest.approx(lacking, abs=1)


def test_a_file_without_index_is_headless(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.mp4", Picture(), [Track(tone(1))])

    assert not structure(whole).headless
    assert structure(cut(whole, tmp_path / "b.mp4", 0.5)).headless


def test_fragments_are_noticed(tmp_path: Path) -> None:
    options = {"movflags": "frag_keyframe+empty_moov"}
    fragmented = write(tmp_path / "a.mp4", Picture(), [Track(tone(1))], options=options)

    assert structure(fragmented) == Structure(0, fragmented=True)


@pytest.mark.parametrize("name", ["a.ts", "a.flac", "a.ogg", "a.mp3"])
def test_containers_that_state_no_size_are_not_judged(tmp_path: Path, name: str) -> None:
    codec = {"a.ts": "aac", "a.flac": "flac", "a.ogg": "libopus", "a.mp3": "libmp3lame"}[name]

    assert structure(write(tmp_path / name, None, [Track(tone(1), codec=codec)])).missing_bytes is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE",
        b"RIFF" + struct.pack("<I", 0) + b"WAVE",
        b"\x1aE\xdf\xa3",
        b"\x1aE\xdf\xa3\x80\x18S\x80g\xff",
        b"\x1aE\xdf\xa3\x80\x18S\x80g\x01" + b"\xff" * 7,
        b"\x1aE\xdf\xa3\x00\x00\x00\x00\x00\x00\x00\x00",
    ],
)
def test_unknown_and_impossible_sizes_are_not_judged(tmp_path: Path, data: bytes) -> None:
    assert structure(written(tmp_path / "a", data)) == Structure(None)


def test_a_last_box_without_size_reaches_to_the_end(tmp_path: Path) -> None:
    data = (
        struct.pack(">I4s", 8, b"ftyp") + struct.pack(">I4s", 8, b"moov") + struct.pack(">I4s", 0, b"mdat") + b"x" * 9
    )

    assert structure(written(tmp_path / "a", data)) == Structure(0)


def test_boxes_of_64_bits_are_read(tmp_path: Path) -> None:
    data = struct.pack(">I4s", 8, b"moov") + struct.pack(">I4sQ", 1, b"mdat", 1 << 40)

    assert structure(written(tmp_path / "a", data)).missing_bytes == (1 << 40) - 16


def test_boxes_of_no_size_do_not_hold_up(tmp_path: Path) -> None:
    data = struct.pack(">I4s", 8, b"moov") + struct.pack(">I4s", 3, b"free") * 5

    assert structure(written(tmp_path / "a", data)) == Structure(0)
