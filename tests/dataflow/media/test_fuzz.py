from pathlib import Path

import numpy as np
import pytest

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.decode import decode_audio
from dataflow.media.probe import choose_audio, probe
from dataflow.media.records import MediaLimits
from tests.fixtures.media import Picture, Track, tone, write

SEEDS = 70
EXPECTED = {
    ErrorCode.UNSUPPORTED_MEDIA,
    ErrorCode.TRUNCATED_MEDIA,
    ErrorCode.NO_AUDIO,
    ErrorCode.TOO_LARGE,
    ErrorCode.MEDIA_LIMIT,
    ErrorCode.DECODER_CRASHED,
}
QUICK = {"preset": "ultrafast", "bf": "2"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("whole")
    picture = Picture(1, 64, 48, options=QUICK)
    return [
        write(folder / "a.mp4", picture, [Track(tone(1))], options={"movflags": "+faststart"}),
        write(folder / "a.mkv", picture, [Track(tone(1), codec="flac")]),
        write(folder / "a.ts", picture, [Track(tone(1))]),
        write(folder / "a.avi", Picture(1, 64, 48, codec="mpeg4", options={}), [Track(tone(1), codec="libmp3lame")]),
        write(folder / "a.ogg", None, [Track(tone(1), codec="libopus")]),
    ]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_mutated_files_end_in_a_typed_error_or_in_sound(
    whole: list[Path], tmp_path: Path, limits: MediaLimits, seed: int
) -> None:
    path = tmp_path / "mutated"
    path.write_bytes(mutated(whole[seed % len(whole)].read_bytes(), np.random.default_rng(seed)))

    try:
        with decode_audio(path, choose_audio(probe(path, limits)), limits, rate=16_000) as audio:
            seconds = sum(len(block) for block in audio) / 16_000
        assert audio.summary.seconds == pytest.approx(seconds)
        assert seconds <= limits.max_seconds
    except DubflowError as error:
        assert error.code in EXPECTED, error  # noqa: PT017 - most mutations decode; those that do not must be typed


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """Flip, drop, repeat and cut, mostly near the start where the headers are."""
    changed = bytearray(data)
    for _ in range(int(random.integers(1, 30))):
        position = int(len(changed) * random.random() ** 3)
        match random.integers(5):
            case 0 | 1 | 2:
                changed[position : position + 1] = random.bytes(1)
            case 3:
                del changed[position : position + int(random.integers(1, 64))]
            case _:
                changed[position:position] = changed[position : position + int(random.integers(1, 64))]
    return bytes(changed[: int(len(changed) * random.uniform(0.5, 1))] if random.random() < 0.2 else changed)
