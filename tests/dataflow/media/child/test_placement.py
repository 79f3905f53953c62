import os
from pathlib import Path

import pytest

from dataflow.media.child.placement import LARGE, index_options
from dataflow.media.child.source import Source, opened
from tests.fixtures.media import Picture, Track, tone, write


def options(path: Path, *, size: int, encoded: int | None) -> dict[str, str]:
    fd = os.open(path, os.O_RDONLY)
    try:
        with opened({"source": fd, "max_pixels": 1 << 24, "max_streams": 32}) as source:
            large = Source(source.container, source.structure, size)
            return index_options(large, list(source.container.streams), encoded)
    finally:
        os.close(fd)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("clip") / "clip.mp4", Picture(), [Track(tone(2))])


def test_small_files_are_written_twice(clip: Path) -> None:
    assert options(clip, size=LARGE - 1, encoded=100) == {"movflags": "+faststart"}


def test_large_files_get_room_for_every_packet(clip: Path) -> None:
    few, many = (int(options(clip, size=LARGE, encoded=count)["moov_size"]) for count in (100, 20_100))

    assert many - few > 20_000 * 40


def test_room_is_not_wasted_on_files_of_many_tiny_packets(clip: Path) -> None:
    assert options(clip, size=LARGE, encoded=LARGE // 64) == {"movflags": "+faststart"}


def test_files_whose_packets_nobody_has_counted_are_written_twice(clip: Path, tmp_path: Path) -> None:
    fragmented = write(
        tmp_path / "a.mp4", Picture(), [Track(tone(1))], options={"movflags": "frag_keyframe+empty_moov"}
    )

    assert options(clip, size=LARGE, encoded=None) == {"movflags": "+faststart"}
    assert options(fragmented, size=LARGE, encoded=100) == {"movflags": "+faststart"}
