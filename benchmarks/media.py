"""Processor time of decoding and muxing ten minutes of 720p, beside the ffmpeg program doing the same.

Example:
    python benchmarks/media.py --json benchmarks/results/media.json
"""

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.keeping import keep
from benchmarks.sources import HD, speech, write_source
from cluster.settings import Settings
from dataflow.media.decode import decode_audio
from dataflow.media.mux import mux
from dataflow.media.probe import choose_audio, probe
from dataflow.media.records import AudioTrack, MediaLimits, MuxPlan

SECONDS = 600
DECODE_LIMIT, MUX_LIMIT = 2.0, 1.3
RATE, BIT_RATE = 48_000, 128_000
LIMITS = MediaLimits.from_settings(Settings())


@dataclass(frozen=True, slots=True)
class Row:
    """One operation, in CPU seconds (user and system, parent and child) per ten minutes of source; medians."""

    operation: str
    ours: float
    ffmpeg: float
    ratio: float
    limit: float | None
    verdict: str


def cpu_seconds(work: Callable[[], object]) -> float:
    """What some work costs this process and the children that it waits for."""
    before = _spent()
    work()
    return _spent() - before


def _spent() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in usages)


def ffmpeg(*arguments: object) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)], check=True)


def decode(source: Path, track: AudioTrack) -> None:
    with decode_audio(source, track, LIMITS, rate=16_000) as audio:
        for _ in audio:
            pass


def blocks(dub: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    for first in range(0, len(dub), RATE):
        yield dub[first : first + RATE]


def dubbed(source: Path, output: Path, dub: NDArray[np.float32]) -> None:
    mux(MuxPlan(source, output, RATE, 1, len(dub), "es", "Español", BIT_RATE, original=1), blocks(dub), LIMITS)


def write_wav(path: Path, dub: NDArray[np.float32]) -> None:
    with wave.open(path.as_posix(), "wb") as output:
        output.setnchannels(1)
        output.setsampwidth(2)
        output.setframerate(RATE)
        output.writeframes((dub * 32767).astype("<i2").tobytes())


def compare(
    operation: str, ours: Callable[[], object], theirs: Callable[[], object], limit: float | None, runs: int
) -> Row:
    """Run both in turns, so that what else the machine does meets both alike."""
    pairs = [(cpu_seconds(ours), cpu_seconds(theirs)) for _ in range(runs)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    verdict = "" if limit is None else "PASS" if mine / other <= limit else "FAIL"
    return Row(operation, mine, other, mine / other, limit, verdict)


def exactness(output: Path, dub: NDArray[np.float32]) -> Row:
    """Whether ffmpeg, too, reads exactly the samples that were given."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", str(output), "-map", "0:a:0", "-f", "f32le", "-"]
    count = len(subprocess.run(command, check=True, capture_output=True).stdout) // 4
    return Row("dub samples as ffmpeg reads them", len(dub), count, count / len(dub), 1.0, _same(count, len(dub)))


def _same(one: int, other: int) -> str:
    return "PASS" if one == other else "FAIL"


def measure(folder: Path, runs: int) -> list[Row]:
    source = write_source(folder / "source.mp4", HD, SECONDS)
    track = choose_audio(probe(source, LIMITS))
    dub = speech(SECONDS - 0.123, RATE)
    short = dub[:RATE]
    write_wav(wav := folder / "dub.wav", dub)
    output, theirs = folder / "ours.mp4", folder / "theirs.mp4"
    aac = ("-c:v", "copy", "-c:a:0", "aac", "-b:a:0", BIT_RATE, "-c:a:1", "copy", "-movflags", "+faststart")
    tracks = ("-map", "0:v", "-map", "1:a", "-map", "0:a")
    return [
        compare(
            "decode to 16 kHz mono",
            lambda: decode(source, track),
            lambda: ffmpeg("-i", source, "-vn", "-ac", 1, "-ar", 16_000, folder / "theirs.wav"),
            DECODE_LIMIT,
            runs,
        ),
        compare(
            "mux a dub",
            lambda: dubbed(source, output, dub),
            lambda: ffmpeg("-i", source, "-i", wav, *tracks, *aac, theirs),
            MUX_LIMIT,
            runs,
        ),
        exactness(output, dub),
        compare(
            "copy alone (a dub of one second)",
            lambda: dubbed(source, output, short),
            lambda: ffmpeg("-i", source, "-map", "0:v", "-map", "0:a", "-c", "copy", "-movflags", "+faststart", theirs),
            None,
            runs,
        ),
    ]


def show(rows: list[Row]) -> None:
    print(f"{'operation':34} {'ours':>12} {'ffmpeg':>12} {'ratio':>7} {'limit':>6}")
    for row in rows:
        limit = "" if row.limit is None else f"{row.limit:.1f}"
        print(f"{row.operation:34} {row.ours:12.2f} {row.ffmpeg:12.2f} {row.ratio:7.2f} {limit:>6} {row.verdict}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs of each side, in turns; medians are shown")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    arguments = parser.parse_args()
    if shutil.which("ffmpeg") is None:
        print("this benchmark compares with the ffmpeg program; install it first", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory(prefix="dubflow-benchmark-") as folder:
        rows = measure(Path(folder), arguments.runs)
    show(rows)
    keep(rows, arguments.json)
    return int(any(row.verdict == "FAIL" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
