from pathlib import Path

import pytest

from dataflow.media.records import MediaLimits
from tests.fixtures.media import Line, Picture, Track, tone, write


@pytest.fixture
def limits() -> MediaLimits:
    return MediaLimits(
        max_bytes=1 << 30,
        max_seconds=600.0,
        max_pixels=1 << 24,
        max_streams=32,
        memory_bytes=1 << 30,
        stall_seconds=30.0,
    )


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of picture, tone, chapters and subtitles in MP4, its index last."""
    return write(
        tmp_path_factory.mktemp("clip") / "clip.mp4",
        Picture(),
        [Track(tone(2), tags={"language": "deu", "title": "Ton"})],
        lines=[Line(0.2, 0.8, "Hallo"), Line(1.0, 1.5, "Welt")],
        chapters=[(0.0, 1.0, "Eins"), (1.0, 2.0, "Zwei")],
        tags={"title": "Ein Titel", "comment": "Ein Kommentar"},
    )


@pytest.fixture(scope="session")
def fast_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of picture and tone in MP4, its index first."""
    path = tmp_path_factory.mktemp("clip") / "fast.mp4"
    return write(path, Picture(seconds=4), [Track(tone(4))], options={"movflags": "+faststart"})
