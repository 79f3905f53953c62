from pathlib import Path

import numpy as np
import pytest

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.records import MediaLimits
from dataflow.media.waveform import waveform
from tests.fixtures.media import Picture, Track, tone, write


def test_a_waveform_follows_the_sound(tmp_path: Path, limits: MediaLimits) -> None:
    sound = np.concatenate([tone(3, level=0.2), np.zeros(48_000 * 2, np.float32), tone(5, level=0.8)])
    film = write(tmp_path / "a.flac", None, [Track(sound, codec="flac")])

    found = waveform(film, limits, points=100)

    assert found.seconds == pytest.approx(10.0, abs=0.01)
    assert len(found.peaks) == 100
    assert found.peaks[2:28] == pytest.approx([0.2] * 26, abs=0.02)
    assert found.peaks[32:48] == pytest.approx([0.0] * 16, abs=0.01)
    assert found.peaks[52:98] == pytest.approx([0.8] * 46, abs=0.05)


def test_a_short_sound_has_a_peak_each_ten_milliseconds(tmp_path: Path, limits: MediaLimits) -> None:
    film = write(tmp_path / "a.mp4", Picture(1), [Track(tone(1))])

    found = waveform(film, limits, points=2000)

    assert len(found.peaks) == pytest.approx(100, abs=5)
    assert max(found.peaks) <= 1.0


def test_no_click_is_lost_between_points(tmp_path: Path, limits: MediaLimits) -> None:
    sound = np.zeros(48_000 * 7, np.float32)
    sound[160_000:160_096] = tone(0.002, hertz=1000, level=0.9)
    film = write(tmp_path / "a.flac", None, [Track(sound, codec="flac")])

    peaks = waveform(film, limits, points=13).peaks

    assert int(np.argmax(peaks)) == 160_000 * 13 // (48_000 * 7)
    assert max(peaks) > 0.5


def test_a_silent_film_has_none(tmp_path: Path, limits: MediaLimits) -> None:
    with pytest.raises(DubflowError) as refused:
        waveform(write(tmp_path / "a.mp4", Picture(1)), limits, points=10)

    assert refused.value.code is ErrorCode.NO_AUDIO
