from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.excerpt import audio, clip
from dataflow.media.records import MediaLimits
from tests.fixtures.media import Picture, Track, clicks, cut, tone, write
from tests.fixtures.playback import onsets, samples

SECONDS = 20
CLICKS = [1.5, 8.25, 12.75, 19.0]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds with a key frame every five, and clicks."""
    picture = Picture(seconds=SECONDS, options={"preset": "ultrafast", "bf": "2", "g": "50"})
    return write(tmp_path_factory.mktemp("film") / "film.mp4", picture, [Track(clicks(SECONDS, CLICKS))])


def bars(path: Path) -> list[tuple[float, int]]:
    """When each picture shows, and where its bar is."""
    with av.open(path.as_posix()) as opened:
        shown = [(float(f.time), int(np.argmax(f.to_ndarray(format="gray")[0] > 150))) for f in opened.decode(video=0)]
    return sorted(shown)


@pytest.mark.parametrize(("start", "seconds"), [(0.0, 5.0), (7.3, 5.0), (5.0, 1.0), (12.0, 6.0), (18.0, 60.0)])
def test_a_clip_shows_its_stretch_and_nothing_else(
    film: Path, tmp_path: Path, limits: MediaLimits, start: float, seconds: float
) -> None:
    lasts = clip(film, tmp_path / "clip.mp4", limits, start=start, seconds=seconds)

    expected = min(seconds, SECONDS - start)
    assert lasts == pytest.approx(expected, abs=0.05)
    with av.open((tmp_path / "clip.mp4").as_posix()) as opened:
        assert opened.duration / 1e6 == pytest.approx(expected, abs=0.45)  # a picture that others refer to may follow
    shown = bars(tmp_path / "clip.mp4")
    first = round(start * 10)
    for number, (time, bar) in enumerate(shown[: round(expected * 10)]):
        assert time == pytest.approx(number / 10, abs=0.01)
        assert bar == pytest.approx(((first + number) * 7) % 112, abs=3)
    heard = onsets(samples(tmp_path / "clip.mp4")[:, 0], 48_000)
    inside = [moment - start for moment in CLICKS if start <= moment < start + expected]
    assert heard == pytest.approx(inside, abs=0.03)


def test_the_index_of_a_clip_comes_first(film: Path, tmp_path: Path, limits: MediaLimits) -> None:
    clip(film, tmp_path / "clip.mp4", limits, start=3.0, seconds=2.0)

    data = (tmp_path / "clip.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("start", [20.1, 1e6])
def test_a_clip_that_begins_after_the_end_is_refused(
    film: Path, tmp_path: Path, limits: MediaLimits, start: float
) -> None:
    with pytest.raises(DubflowError, match="begin earlier") as refused:
        clip(film, tmp_path / "clip.mp4", limits, start=start, seconds=5.0)

    assert refused.value.code is ErrorCode.INVALID_REQUEST
    assert not (tmp_path / "clip.mp4").exists()


@pytest.mark.parametrize(
    ("name", "picture", "codec"),
    [
        ("a.mkv", Picture(seconds=6, options={"preset": "ultrafast", "bf": "0", "g": "10"}), "pcm_s16le"),
        ("a.ts", Picture(seconds=6, options={"preset": "ultrafast", "bf": "0", "g": "10"}), "aac"),
        ("a.avi", Picture(seconds=6, codec="mpeg4", options={"g": "10"}), "libmp3lame"),
        ("a.mov", Picture(seconds=6), "pcm_s16le"),
    ],
)
def test_clips_of_other_containers_are_mp4_too(
    tmp_path: Path, limits: MediaLimits, name: str, picture: Picture, codec: str
) -> None:
    source = write(tmp_path / name, picture, [Track(tone(6), codec=codec)])

    clip(source, tmp_path / "clip.mp4", limits, start=2.5, seconds=2.0)

    shown = bars(tmp_path / "clip.mp4")
    assert len(shown) == pytest.approx(20, abs=2)
    heard = samples(tmp_path / "clip.mp4")
    assert len(heard) / 48_000 == pytest.approx(2.0, abs=0.1)
    assert np.abs(heard[9_600:48_000]).max() > 0.3


def test_a_film_without_sound_and_sound_without_a_film_have_clips(tmp_path: Path, limits: MediaLimits) -> None:
    silent = write(tmp_path / "silent.mp4", Picture(4))
    talk = write(tmp_path / "talk.flac", None, [Track(tone(4), codec="flac")])

    assert clip(silent, tmp_path / "a.mp4", limits, start=1.0, seconds=2.0) == pytest.approx(2.0)
    assert clip(talk, tmp_path / "b.m4a", limits, start=1.0, seconds=2.0) == pytest.approx(2.0)

    assert len(bars(tmp_path / "a.mp4")) == pytest.approx(20, abs=3)
    assert len(samples(tmp_path / "b.m4a")) / 48_000 == pytest.approx(2.0, abs=0.15)


def test_the_sound_of_a_film_is_copied(film: Path, tmp_path: Path, limits: MediaLimits) -> None:
    assert audio(film, tmp_path / "a.m4a", limits) == pytest.approx(SECONDS, abs=0.05)

    with av.open((tmp_path / "a.m4a").as_posix()) as opened:
        assert [stream.type for stream in opened.streams] == ["audio"]
    assert np.array_equal(samples(tmp_path / "a.m4a")[: 19 * 48_000], samples(film)[: 19 * 48_000])


def test_a_dub_is_what_is_heard_of_a_dubbed_film(tmp_path: Path, limits: MediaLimits) -> None:
    dubbed = write(
        tmp_path / "a.mp4",
        Picture(3),
        [
            Track(tone(3, hertz=440), disposition=Disposition.original, tags={"language": "eng"}),
            Track(tone(3, hertz=880), disposition=Disposition.default, tags={"language": "spa"}),
        ],
    )

    audio(dubbed, tmp_path / "a.m4a", limits)

    with av.open((tmp_path / "a.m4a").as_posix()) as opened:
        assert opened.streams.audio[0].metadata["language"] == "spa"


def test_a_silent_film_has_no_sound_to_copy(tmp_path: Path, limits: MediaLimits) -> None:
    with pytest.raises(DubflowError) as refused:
        audio(write(tmp_path / "silent.mp4", Picture(1)), tmp_path / "a.m4a", limits)

    assert refused.value.code is ErrorCode.NO_AUDIO


def test_what_is_broken_is_refused_and_leaves_nothing(film: Path, tmp_path: Path, limits: MediaLimits) -> None:
    (tmp_path / "text.mp4").write_text("This is not a film.\n" * 100)
    headless = cut(film, tmp_path / "headless.mp4", 0.3)

    for source, code in ((tmp_path / "text.mp4", "unsupported_media"), (headless, "truncated_media")):
        with pytest.raises(DubflowError) as refused:
            clip(source, tmp_path / "clip.mp4", limits, start=0.0, seconds=5.0)
        assert refused.value.code == code
    assert not (tmp_path / "clip.mp4").exists()
