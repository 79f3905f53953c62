from pathlib import Path

import av
import numpy as np

from dataflow.media.decode import decode_audio
from dataflow.media.probe import choose_audio, probe
from dataflow.media.records import MediaLimits
from tests.fixtures.media import boxes

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "samples" / "jfk.mp4"
LIMITS = MediaLimits(1 << 30, 600.0, 1 << 24, 32, 1 << 30, 30.0)


def test_the_sample_clip_is_small_and_plays_anywhere() -> None:
    info = probe(CLIP, LIMITS)

    assert info.size < 1_000_000
    assert info.video is not None
    assert (info.video.codec, info.video.width, info.video.height) == ("h264", 640, 360)
    assert [(t.codec, t.language) for t in info.audios] == [("aac", "en")]
    assert info.title
    assert len(info.chapters) == 1
    with av.open(CLIP.as_posix()) as container:
        assert container.streams.video[0].pix_fmt == "yuv420p"
    kinds = [kind for kind, _, _ in boxes(CLIP.read_bytes())]
    assert kinds.index("moov") < kinds.index("mdat")


def test_the_sample_clip_speaks() -> None:
    with decode_audio(CLIP, choose_audio(probe(CLIP, LIMITS)), LIMITS, rate=16_000) as audio:
        sound = np.concatenate(list(audio))

    assert 10.5 < len(sound) / 16_000 < 12
    assert np.sqrt((sound**2).mean()) > 0.03


def test_the_recordings_of_the_tests_are_small_and_whole() -> None:
    folder = ROOT / "tests" / "media"
    seconds = {"jfk": 11.0, "two_speakers": 30.0, "librivox-0870": 7.1, "librivox-0930": 3.3}

    for name, expected in seconds.items():
        path = folder / f"{name}.opus"
        with decode_audio(path, probe(path, LIMITS).audios[0], LIMITS, rate=16_000) as audio:
            length = sum(len(block) for block in audio) / 16_000
        assert abs(length - expected) < 0.1
        assert path.stat().st_size < 150_000
    assert sum(p.stat().st_size for p in folder.iterdir()) < 600_000
