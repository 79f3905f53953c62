from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.poster import poster
from dataflow.media.records import MediaLimits
from tests.fixtures.media import Picture, Track, cut, tone, write

KEYS = {"preset": "ultrafast", "bf": "0", "g": "10"}


def pixels(path: Path) -> NDArray[np.uint8]:
    """Brightness of a JPEG, shape (height, width)."""
    with av.open(path.as_posix()) as opened:
        return next(opened.decode(video=0)).to_ndarray(format="gray")


def test_a_poster_is_the_picture_a_tenth_in(tmp_path: Path, limits: MediaLimits) -> None:
    film = write(tmp_path / "a.mp4", Picture(seconds=20, options=KEYS), [Track(tone(20))])

    assert poster(film, tmp_path / "a.jpg", limits) == (128, 96)

    bright = np.flatnonzero(pixels(tmp_path / "a.jpg")[48] > 150)
    assert pytest.approx(bright.min(), abs=4) == (20 * 7) % 112
    assert (tmp_path / "a.jpg").read_bytes()[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("picture", "size"),
    [
        (Picture(width=1920, height=1080, seconds=0.5), (640, 360)),
        (Picture(width=1080, height=1920, seconds=0.5), (360, 640)),
        (Picture(rotation=90), (96, 128)),
        (Picture(rotation=-90), (96, 128)),
        (Picture(rotation=180), (128, 96)),
        (Picture(aspect=Fraction(2, 1)), (256, 96)),
    ],
)
def test_a_poster_is_small_upright_and_has_square_pixels(
    tmp_path: Path, limits: MediaLimits, picture: Picture, size: tuple[int, int]
) -> None:
    film = write(tmp_path / "a.mp4", picture)

    assert poster(film, tmp_path / "a.jpg", limits) == size
    assert pixels(tmp_path / "a.jpg").shape == size[::-1]


@pytest.mark.parametrize(("rotation", "row", "column"), [(90, -1, 0), (-90, 0, 0), (180, 0, -1)])
def test_a_turned_film_has_its_bar_where_players_show_it(
    tmp_path: Path, limits: MediaLimits, rotation: int, row: int, column: int
) -> None:
    film = write(tmp_path / "a.mp4", Picture(seconds=0.1, rotation=rotation))  # the bar is at the left edge

    poster(film, tmp_path / "a.jpg", limits)

    shown = pixels(tmp_path / "a.jpg")
    assert shown[row, column] > 150
    assert shown[-1 - row if row else -1, -1 - column if column else -1] < 150 or rotation == 180


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("a.webm", Picture(codec="libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"})),
        ("a.mp4", Picture(codec="libx265", options={"preset": "ultrafast", "x265-params": "log-level=none"})),
        ("a.avi", Picture(codec="mpeg4")),
        ("a.ts", Picture()),
    ],
)
def test_every_codec_that_is_decoded_has_posters(
    tmp_path: Path, limits: MediaLimits, name: str, picture: Picture
) -> None:
    film = write(tmp_path / name, picture)

    assert poster(film, tmp_path / "a.jpg", limits) == (128, 96)
    assert pixels(tmp_path / "a.jpg").max() > 150


def test_a_film_that_ends_before_its_tenth_shows_its_beginning(tmp_path: Path, limits: MediaLimits) -> None:
    film = write(tmp_path / "a.mp4", Picture(seconds=60, options=KEYS), options={"movflags": "+faststart"})
    short = cut(film, tmp_path / "short.mp4", 0.3)

    assert poster(short, tmp_path / "a.jpg", limits) == (128, 96)


def test_sound_has_no_poster(tmp_path: Path, limits: MediaLimits) -> None:
    talk = write(tmp_path / "a.flac", None, [Track(tone(1), codec="flac")])

    with pytest.raises(DubflowError) as refused:
        poster(talk, tmp_path / "a.jpg", limits)

    assert refused.value.code is ErrorCode.NOT_FOUND
    assert not (tmp_path / "a.jpg").exists()
