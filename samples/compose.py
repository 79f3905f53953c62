"""Composes the sample clip: a recording of speech under a picture of its own sound.

python samples/compose.py --speech RECORDING --picture moving --out samples/jfk.mp4
"""

import argparse
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from dataflow.loudness import lufs
from dataflow.metering import measure

WIDTH, HEIGHT, RATE = 640, 360, 25
BARS, BAR_PITCH, BAR_WIDTH = 41, 13, 7
SECONDS_PER_BAR = 0.06
DEEP, BRIGHT, LIGHT = (np.array(c, np.float32) for c in ((16, 34, 72), (22, 128, 138), (246, 240, 224)))

LOUDNESS = -20.0
"""LUFS; the recording itself is far louder than what people are used to."""

Sound = NDArray[np.float32]


def read(path: Path) -> tuple[Sound, int]:
    """The recording in one channel, float32 in [-1, 1], and its rate in Hz."""
    with av.open(path.as_posix()) as container:
        rate = container.streams.audio[0].rate
        resampler = av.AudioResampler("flt", "mono", rate)
        frames = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]), rate


def loudness(sound: Sound, rate: int) -> Sound:
    """How high a bar stands for each `SECONDS_PER_BAR` of the sound, in [0, 1]."""
    step = round(rate * SECONDS_PER_BAR)
    pieces = sound[: len(sound) // step * step].reshape(-1, step)
    level = np.sqrt((pieces**2).mean(axis=1))
    return (level / level.max()) ** 0.6


def pictures(levels: Sound, seconds: float, *, moving: bool) -> Iterator[NDArray[np.uint8]]:
    """RGB pictures: a slow wave of colour, and before it the sound of the moment as bars that pass by."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    for number in range(round(seconds * RATE)):
        time = number / RATE if moving else 0.0
        wave = np.sin(x / 210 + y / 330 + time * 0.35) + np.sin(y / 140 - x / 400 - time * 0.23)
        mix = (0.5 + wave / 4)[..., np.newaxis]
        picture = DEEP * (1 - mix) + BRIGHT * mix
        cover = bars(levels, time)[..., np.newaxis]
        yield (picture * (1 - cover) + LIGHT * cover).astype(np.uint8)


def bars(levels: Sound, time: float) -> Sound:
    """How much of each pixel the bars cover; the bar in the middle sounds now."""
    cover = np.zeros((HEIGHT, WIDTH), np.float32)
    position = time / SECONDS_PER_BAR
    rows = np.abs(np.arange(HEIGHT, dtype=np.float32) - HEIGHT / 2 + 0.5)
    for offset in range(-(BARS // 2) - 1, BARS // 2 + 2):
        index = int(position) + offset
        level = levels[index] if 0 <= index < len(levels) else 0.0
        distance = offset - position % 1
        fade = max(0.0, 1 - (abs(distance) / (BARS / 2)) ** 2)
        left = round(WIDTH / 2 + distance * BAR_PITCH - BAR_WIDTH / 2)
        column = np.clip(4 + level * 118 * (0.35 + 0.65 * fade) - rows, 0, 1) * (0.25 + 0.7 * fade) * (fade > 0)
        cover[:, max(0, left) : max(0, left + BAR_WIDTH)] = column[:, np.newaxis]
    return cover


def compose(speech: Path, out: Path, *, moving: bool) -> None:
    """Write the clip: H.264 and AAC, index first, as every player and browser reads it."""
    sound, rate = read(speech)
    sound *= np.float32(10 ** ((LOUDNESS - lufs(measure(sound, rate).power)) / 20))
    seconds = len(sound) / rate
    with av.open(out.as_posix(), "w", container_options={"movflags": "+faststart"}) as output:
        output.metadata["title"] = "Ask what you can do for your country (J. F. Kennedy, 1961)"
        base = Fraction(1, 1000)
        chapter = {"id": 0, "start": 0, "end": round(seconds * 1000), "time_base": base}
        output.set_chapters([{**chapter, "metadata": {"title": "And so, my fellow Americans"}}])
        picture = output.add_stream("libx264", RATE, options={"preset": "veryslow", "crf": "27", "g": "100"})
        picture.width, picture.height, picture.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        voice = output.add_stream("aac", rate, layout="mono", bit_rate=96_000)
        voice.metadata["language"] = "eng"
        packets = list(encoded_pictures(picture, loudness(sound, rate), seconds, moving=moving))
        packets += encoded_sound(voice, sound, rate)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            output.mux(packet)


def encoded_pictures(stream: av.VideoStream, levels: Sound, seconds: float, *, moving: bool) -> Iterator[av.Packet]:
    """The packets of the picture."""
    for rgb in pictures(levels, seconds, moving=moving):
        yield from stream.encode(av.VideoFrame.from_ndarray(rgb))
    yield from stream.encode(None)


def encoded_sound(stream: av.AudioStream, sound: Sound, rate: int) -> Iterator[av.Packet]:
    """The packets of the recording."""
    frame = av.AudioFrame.from_ndarray(sound[np.newaxis], "fltp", "mono")
    frame.rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    for piece in (frame, None):
        yield from stream.encode(piece)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True, help="recording that is heard")
    parser.add_argument("--picture", choices=("moving", "still"), default="moving", help="what is seen")
    parser.add_argument("--out", type=Path, required=True, help="MP4 file to write")
    arguments = parser.parse_args()
    compose(arguments.speech, arguments.out, moving=arguments.picture == "moving")
    print(f"{arguments.out}: {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
