"""Long sources for benchmarks, made quickly: a short clip is encoded once and its packets are repeated."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

SPEECH = Path(__file__).parents[1] / "tests" / "media" / "two_speakers.opus"


@dataclass(frozen=True, slots=True)
class Clip:
    """What is repeated.

    Attributes:
        seconds: Length; a whole number of frames and of AAC packets where pieces are to join without a seam.
        width: Pixels.
        height: Pixels.
        rate: Pictures per second.
        video_bits: Bit rate of the picture in bit/s.
        audio_bits: Bit rate of the sound in bit/s.
        channels: 1 or 2.
    """

    seconds: float
    width: int
    height: int
    rate: int
    video_bits: int
    audio_bits: int
    channels: int


HD = Clip(24.0, 1280, 720, 25, 5_000_000, 128_000, 2)
"""As a camera or a platform delivers it."""

LEAN = Clip(24.0, 320, 180, 25, 60_000, 48_000, 1)
"""Small, so that hours of it are made in seconds."""


def speech(seconds: float, rate: int) -> NDArray[np.float32]:
    """A real conversation, repeated: shape (n,), float32."""
    with av.open(SPEECH.as_posix()) as container:
        resampler = av.AudioResampler("flt", "mono", rate)
        pieces = [r.to_ndarray()[0] for f in container.decode(audio=0) for r in resampler.resample(f)]
    return np.resize(np.concatenate(pieces), round(seconds * rate)).astype(np.float32)


def write_source(path: Path, clip: Clip, seconds: float) -> Path:
    """Write a source of about `seconds`; the container follows from the name."""
    seed = path.with_name("seed.mp4")
    _encode(seed, clip)
    with av.open(seed.as_posix()) as reader, av.open(path.as_posix(), "w") as writer:
        streams = {s.index: writer.add_stream_from_template(s, opaque=True) for s in reader.streams}
        packets = [
            (p.stream_index, p.pts, p.dts, p.duration, p.is_keyframe, bytes(p)) for p in reader.demux() if p.size
        ]
        bases = {s.index: s.time_base for s in reader.streams}
        for number in range(round(seconds / clip.seconds)):
            for index, pts, dts, duration, key, data in packets:
                shift = round(number * clip.seconds / bases[index])
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = streams[index], bases[index], key
                packet.pts, packet.dts, packet.duration = pts + shift, dts + shift, duration
                writer.mux_one(packet)
    seed.unlink()
    return path


def _encode(path: Path, clip: Clip) -> None:
    with av.open(path.as_posix(), "w") as output:
        picture = output.add_stream("libx264", clip.rate, options={"preset": "ultrafast", "bf": "2", "threads": "2"})
        picture.width, picture.height, picture.pix_fmt = clip.width, clip.height, "yuv420p"
        picture.bit_rate = clip.video_bits
        sound = output.add_stream("aac", 48_000, layout="mono" if clip.channels == 1 else "stereo")
        sound.bit_rate = clip.audio_bits
        packets = [*_pictures(picture, clip), *_sounds(sound, clip)]
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            output.mux_one(packet)


def _pictures(stream: av.VideoStream, clip: Clip) -> Iterator[av.Packet]:
    random = np.random.default_rng(0)
    for number in range(round(clip.seconds * clip.rate)):
        grey = np.roll(
            np.tile(np.linspace(40, 200, clip.width, dtype=np.float32), (clip.height, 1)), number * 3, axis=1
        )
        noise = random.normal(0, 12, grey.shape) if clip.video_bits > 1_000_000 else 0
        luma = np.clip(grey + noise, 0, 255).astype(np.uint8)
        chroma = np.full((clip.height // 2, clip.width), 128, np.uint8)
        frame = av.VideoFrame.from_ndarray(np.concatenate([luma, chroma]), "yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, clip.rate)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _sounds(stream: av.AudioStream, clip: Clip) -> Iterator[av.Packet]:
    # A packet less than the clip: the encoder's own delay makes up for it, so that repeats join.
    mono = speech(clip.seconds - 1024 / 48_000, 48_000)
    planes = np.ascontiguousarray(np.tile(mono, (clip.channels, 1)))
    frame = av.AudioFrame.from_ndarray(planes, "fltp", "mono" if clip.channels == 1 else "stereo")
    frame.rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
    for piece in (frame, None):
        yield from stream.encode(piece)
