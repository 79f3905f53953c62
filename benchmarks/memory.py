"""Peak memory for a source of four hours beside one of ten minutes: what streams must not grow.

* `dub`: the whole command, all its processes together, with engines that only answer.
* `decode`, `mux`: the media layer alone. FFmpeg holds an index of a file's packets, which is allowed on top.

Example:
    python -m benchmarks.memory --json benchmarks/results/memory.json
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.keeping import keep
from benchmarks.sources import LEAN, write_source
from cluster.settings import Settings
from dataflow.media.decode import decode_audio
from dataflow.media.mux import mux
from dataflow.media.probe import choose_audio, probe
from dataflow.media.process import COMMAND
from dataflow.media.records import MediaLimits, MuxPlan
from tests.fixtures.runs import Runs

SHORT, LONG = 600, 4 * 3600
GROWTH_LIMIT = 1.2
RATE = 48_000
LIMITS = MediaLimits.from_settings(Settings())

INDEX_BYTES = 96
"""What the index of an MP4 file may take per packet that it lists: FFmpeg holds it in memory, read or written."""


@dataclass(frozen=True, slots=True)
class Row:
    """Peak resident memory of parent and child together, in MB.

    Attributes:
        operation: What was done.
        short: For ten minutes.
        long: For four hours.
        growth: `long` over `short`.
        allowed: MB that the long one may take: 1.2 times the short one, and its index where it has one.
        verdict: PASS or FAIL.
    """

    operation: str
    short: float
    long: float
    growth: float
    allowed: float
    verdict: str


def decode(source: Path) -> None:
    with decode_audio(source, choose_audio(probe(source, LIMITS)), LIMITS, rate=16_000) as audio:
        for _ in audio:
            pass


def dub(source: Path) -> None:
    seconds = round(probe(source, LIMITS).duration or 0)
    output = source.with_name("dubbed.mp4")
    mux(MuxPlan(source, output, RATE, 1, seconds * RATE, "es", "Español", original=1), quiet(seconds), LIMITS)
    output.unlink()


def quiet(seconds: int) -> Iterator[NDArray[np.float32]]:
    for _ in range(seconds):
        yield np.zeros(RATE, np.float32)


OPERATIONS = {"decode": decode, "mux": dub}


class ChildWatch(threading.Thread):
    """Notes how far the memory of media children has ever risen.

    `getrusage` would count what they were forked from, too; so would a look at one that has not become itself yet.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0

    def run(self) -> None:
        """Look, until the process ends."""
        while True:
            for child in psutil.Process().children():
                with suppress(psutil.Error):
                    if COMMAND[-1] in child.cmdline():
                        self.peak = max(self.peak, high_water(child.pid))
            time.sleep(0.01)


def high_water(process: int | str) -> int:
    """Peak resident kB of a process; 0 once it is gone."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


def peak_megabytes(operation: str, source: Path) -> float:
    """Peaks of this process and of its largest child, as if they had met."""
    watch = ChildWatch()
    watch.start()
    OPERATIONS[operation](source)
    return (high_water("self") + watch.peak) / 1024


def measured(operation: str, source: Path) -> float:
    """The peak of one operation, in a process of its own, as peaks never go down."""
    command = [sys.executable, "-m", "benchmarks.memory", "--one", operation, str(source)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak_of_command(source: Path) -> float:
    """Highest sum over the processes of a whole run, in MB, of memory that each has for itself or its share of."""
    with tempfile.TemporaryDirectory(prefix="df-") as folder:
        runs = Runs(Path(folder) / "r")
        run = runs.start("dub", source, "--to", "es", "-o", runs.out, "--json")
        peak = 0
        while run.poll() is None:
            peak = max(peak, sum(_share(process) for process in family(run.pid)))
            time.sleep(1)
        if run.returncode:
            raise RuntimeError(run.communicate()[1])
        run.communicate()
    return peak / (1 << 20)


def family(pid: int) -> list[psutil.Process]:
    """A process and all its descendants; none once it is gone."""
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    return []


def _share(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def compare_commands(folder: Path, container: str) -> Row:
    """The whole command, within 1.2 times and nothing on top."""
    short, long = (peak_of_command(write_source(folder / f"{s}.{container}", LEAN, s)) for s in (SHORT, LONG))
    allowed = GROWTH_LIMIT * short
    return Row(f"dub {container}", short, long, long / short, allowed, "PASS" if long <= allowed else "FAIL")


def compare(operation: str, folder: Path, container: str, indexed_packets: int) -> Row:
    sources = [write_source(folder / f"{s}.{container}", LEAN, s) for s in (SHORT, LONG)]
    short, long = (measured(operation, source) for source in sources)
    allowed = GROWTH_LIMIT * short + indexed_packets * INDEX_BYTES / (1 << 20)
    for source in sources:
        source.unlink()
    verdict = "PASS" if long <= allowed else "FAIL"
    return Row(f"{operation} {container}", short, long, long / short, allowed, verdict)


def measure(folder: Path) -> list[Row]:
    pictures, frames = LONG * LEAN.rate, LONG * RATE // 1024
    return [
        compare_commands(folder, "mp4"),
        compare("decode", folder, "mkv", 0),
        compare("decode", folder, "mp4", pictures + frames),
        compare("mux", folder, "mkv", pictures + 2 * frames),
        compare("mux", folder, "mp4", 2 * (pictures + frames) + frames),
    ]


def show(rows: list[Row]) -> None:
    print(f"{'operation':12} {'10 min MB':>10} {'4 h MB':>10} {'growth':>7} {'allowed MB':>11}")
    for row in rows:
        print(
            f"{row.operation:12} {row.short:10.0f} {row.long:10.0f} {row.growth:7.2f} {row.allowed:11.0f} {row.verdict}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--one", nargs=2, metavar=("OPERATION", "SOURCE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(peak_megabytes(arguments.one[0], Path(arguments.one[1])))
        return 0
    with tempfile.TemporaryDirectory(prefix="dubflow-benchmark-") as folder:
        rows = measure(Path(folder))
    show(rows)
    keep(rows, arguments.json)
    return int(any(row.verdict == "FAIL" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
