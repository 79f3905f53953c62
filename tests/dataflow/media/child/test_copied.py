from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from dataflow.media.child.copied import CopiedTrack
from dataflow.media.child.writer import PacketWriter
from tests.fixtures.media import Picture, write

Edit = Callable[[int, Any], None]


def copied(source: Path, output: Path, edit: Edit) -> list[tuple[int, int]]:
    """(decoded, shown) in milliseconds of the packets that come out where `edit` has changed those that go in."""
    with av.open(source.as_posix()) as reader, av.open(output.as_posix(), "w") as writer:
        track = CopiedTrack(PacketWriter(writer), reader.streams.video[0])
        for number, packet in enumerate(p for p in reader.demux(video=0) if p.size):
            edit(number, packet)
            track.push(packet)
        track.finish()
    with av.open(output.as_posix()) as reader:
        return [(milliseconds(p, p.dts), milliseconds(p, p.pts)) for p in reader.demux(video=0) if p.size]


def milliseconds(packet: Any, ticks: int) -> int:
    return round(ticks * packet.time_base * 1000)


@pytest.fixture(scope="module")
def reordered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("copied") / "a.mp4", Picture(seconds=1))


def untouched(_: int, __: Any) -> None: ...


def increasing(times: Iterable[int]) -> bool:
    return all(a < b for a, b in pairwise(times))


def test_packets_that_are_well_dated_stay_as_they_are(reordered: Path, tmp_path: Path) -> None:
    times = copied(reordered, tmp_path / "b.mp4", untouched)

    assert sorted(shown for _, shown in times) == list(range(0, 1000, 100))
    assert [decoded for decoded, _ in times] == list(range(-200, 800, 100))


@pytest.mark.parametrize("undated", [2, 5, 10])
def test_packets_without_decoding_time_get_one_before_the_rest(reordered: Path, tmp_path: Path, undated: int) -> None:
    def edit(number: int, packet: Any) -> None:
        if number < undated:
            packet.dts = None

    times = copied(reordered, tmp_path / "b.mp4", edit)

    assert sorted(shown for _, shown in times) == list(range(0, 1000, 100))
    assert increasing(decoded for decoded, _ in times)
    assert all(decoded <= shown for decoded, shown in times)


def test_repeated_decoding_times_are_pulled_apart(reordered: Path, tmp_path: Path) -> None:
    def edit(number: int, packet: Any) -> None:
        if number == 5:
            packet.dts -= round(0.1 / packet.time_base)

    times = copied(reordered, tmp_path / "b.mp4", edit)

    assert len(times) == 10
    assert [shown for _, shown in times] == [shown for _, shown in copied(reordered, tmp_path / "c.mp4", untouched)]


def test_packets_without_any_time_follow_the_last(reordered: Path, tmp_path: Path) -> None:
    def edit(number: int, packet: Any) -> None:
        if number == 9:
            packet.pts = packet.dts = None

    assert len(copied(reordered, tmp_path / "b.mp4", edit)) == 10
