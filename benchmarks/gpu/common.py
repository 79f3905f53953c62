"""What the benchmarks of this folder have in common: arguments, timing, memory, one table, one file of JSON."""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from benchmarks.keeping import keep

MISSING = 3
"""Exit status where a library is not installed."""
CONTEXT_GB = 0.6
"""What CUDA takes of a GPU for every process, outside of PyTorch's memory."""
LIBRARIES = ("torch", "torchaudio", "transformers", "vllm", "ctranslate2", "coqui-tts", "voxcpm", "demucs")


class MissingLibraryError(Exception):
    """A library without which a benchmark cannot run; the message says how to bring it."""


class Stage(Protocol):
    """One stage of the flow with its networks on the device.

    Attributes:
        name: Of the stage.
        engine: Whose load it measures, as `cluster.loads` names it.
        library: Whose code runs the networks.
        hour: Seconds of audio of an hour of video that go through it.
    """

    name: str
    engine: str
    library: str
    hour: float

    def step(self, batch: int) -> float:
        """Work on so many pieces at once; the seconds of audio that they are."""
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """How a stage is built.

    Attributes:
        device: `cuda` or `cpu`.
        dtype: `bfloat16`, `float16` or `float32`.
        tiny: A toy shape instead of the model's, for processors.
        library: Use this one; empty for the best that is there.
        share: Of the GPU's memory, for libraries that are told so when they start.
    """

    device: str
    dtype: str
    tiny: bool
    library: str = ""
    share: float = 1.0

    @property
    def torch_dtype(self) -> Any:
        """The same for PyTorch."""
        return getattr(import_module("torch"), self.dtype)


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement.

    Attributes:
        batch: Pieces at once.
        dtype: Of weights and activations.
        fraction: Of the GPU's memory, what PyTorch might take.
        seconds: For a batch, median of rounds; None where it did not fit into the memory.
        rate: Seconds of audio in a second of the GPU.
        hour_seconds: Of the GPU, for an hour of video.
        peak_gb: The most memory that PyTorch held.
    """

    batch: int
    dtype: str
    fraction: float
    seconds: float | None
    rate: float
    hour_seconds: float | None
    peak_gb: float


def arguments(
    description: str | None,
    given: Sequence[str] | None,
    *,
    batches: Sequence[int],
    dtypes: Sequence[str],
    libraries: Sequence[str] = ("torch",),
) -> argparse.Namespace:
    """What was asked for; a toy shape has defaults of its own.

    Args:
        description: Of the benchmark.
        given: The command line, or None for this process's.
        batches: The usual ones.
        dtypes: The usual ones on a GPU.
        libraries: Whose code can run the networks.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--tiny", action="store_true", help="a toy shape: shows that the code runs, measures nothing")
    parser.add_argument("--batches", type=_numbers(int), help=f"as in {','.join(map(str, batches))}")
    parser.add_argument("--fractions", type=_numbers(float), help="of the GPU's memory, as in 1.0,0.25")
    parser.add_argument("--dtypes", type=lambda text: text.split(","), help=f"as in {','.join(dtypes)}")
    parser.add_argument("--library", default="", choices=("", *libraries), help="else the best that is installed")
    parser.add_argument("--rounds", type=int, help="timed rounds, of which the median counts")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    chosen = parser.parse_args(given)
    chosen.batches = chosen.batches or ([1, 2] if chosen.tiny else list(batches))
    chosen.fractions = chosen.fractions or ([1.0] if chosen.tiny else [1.0, 0.25])
    chosen.dtypes = chosen.dtypes or (["float32"] if chosen.device == "cpu" else list(dtypes))
    chosen.rounds = chosen.rounds or (1 if chosen.tiny else 5)
    return chosen


def run(build: Callable[[Settings], Stage], chosen: argparse.Namespace) -> int:
    """Measure a stage as asked, print the table and write the file; the exit status."""
    try:
        check_device(chosen.device)
        rows, stage = _measured(build, chosen)
    except MissingLibraryError as error:
        sys.stderr.write(f"{error}\n")
        return MISSING
    record = {
        "format": "dubflow.gpu-benchmark/1",
        "stage": stage.name,
        "engine": stage.engine,
        "library": stage.library,
        **machine(chosen.device, tiny=chosen.tiny),
        "rows": [asdict(row) for row in rows],
        "loads": load_of(stage, rows),
    }
    _print(record, rows)
    keep(record, chosen.json)
    return 0


def _measured(build: Callable[[Settings], Stage], chosen: argparse.Namespace) -> tuple[list[Row], Stage]:
    rows: list[Row] = []
    built: list[Stage] = []
    for dtype in chosen.dtypes:
        built.clear()  # the networks of two formats might not fit
        limit_memory(chosen.device, 1.0)
        built.append(build(Settings(chosen.device, dtype, chosen.tiny, chosen.library)))
        for fraction in chosen.fractions:
            limit_memory(chosen.device, fraction)
            rows += [_row(built[0], batch, dtype, fraction, chosen) for batch in chosen.batches]
    return rows, built[0]


def _row(stage: Stage, batch: int, dtype: str, fraction: float, chosen: argparse.Namespace) -> Row:
    reset_peak(chosen.device)
    try:
        timed = list(rounds(stage, batch, chosen.device, chosen.rounds, warm_up=1 if chosen.tiny else 2))
    except RuntimeError as error:  # PyTorch's out-of-memory error is one
        if "out of memory" not in str(error):
            raise
        return Row(batch, dtype, fraction, None, 0.0, None, peak_gb(chosen.device))
    seconds = statistics.median(one for one, _ in timed)
    rate = statistics.median(audio / one for one, audio in timed)
    return Row(batch, dtype, fraction, seconds, rate, stage.hour / rate, peak_gb(chosen.device))


def rounds(stage: Stage, batch: int, device: str, count: int, *, warm_up: int) -> Iterator[tuple[float, float]]:
    """Seconds of wall clock, the device being idle before and after, and seconds of audio, of each round."""
    for _ in range(warm_up):
        stage.step(batch)
    for _ in range(count):
        synchronize(device)
        started = time.perf_counter()
        audio = stage.step(batch)
        synchronize(device)
        yield time.perf_counter() - started, audio


def load_of(stage: Stage, rows: Sequence[Row]) -> dict[str, dict[str, object]]:
    """What `dubflow plan --measured` takes: of the quickest row."""
    good = [row for row in rows if row.hour_seconds is not None]
    if not good:
        return {}
    best = max(good, key=lambda row: row.rate)
    return {stage.engine: figures(stage.library, best.hour_seconds or 0.0, best.peak_gb)}


def figures(library: str, hour_seconds: float, peak: float) -> dict[str, object]:
    """One engine's load; memory that another process holds is not seen here, and nothing is said about it."""
    memory = {"memory_gb": round(peak + CONTEXT_GB, 2)} if peak else {}
    return {"library": library, "gpu_seconds": round(hour_seconds, 3), **memory}


def check_device(device: str) -> None:
    """Make sure that PyTorch is there, and the device.

    Raises:
        MissingLibraryError: One of them is not.
    """
    torch = require("torch", "PyTorch with CUDA comes with the machine; see benchmarks/gpu/README.md")
    if device == "cpu":
        torch.set_num_threads(1)
    if device == "cuda" and not torch.cuda.is_available():
        raise MissingLibraryError("PyTorch sees no GPU here; try the code with --device cpu --tiny")


def require(module: str, remedy: str) -> Any:
    """Import a library.

    Raises:
        MissingLibraryError: It is not installed, or cannot be loaded here.
    """
    try:
        return import_module(module)
    except (ImportError, OSError) as error:
        raise MissingLibraryError(f"{module} cannot be imported ({error}); {remedy}") from error


def has(module: str) -> bool:
    """Whether a library can be imported."""
    try:
        import_module(module)
    except (ImportError, OSError):
        return False
    return True


def limit_memory(device: str, fraction: float) -> None:
    """Let PyTorch take that much of the GPU from now on."""
    if device == "cuda":
        torch = import_module("torch")
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(fraction)


def synchronize(device: str) -> None:
    """Wait until the device has nothing left to do."""
    if device == "cuda":
        import_module("torch").cuda.synchronize()


def reset_peak(device: str) -> None:
    """Forget how much memory was held so far."""
    if device == "cuda":
        torch = import_module("torch")
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_gb(device: str) -> float:
    """The most memory that PyTorch held since; 0 on a processor."""
    if device != "cuda":
        return 0.0
    return float(import_module("torch").cuda.max_memory_reserved() / 1e9)


def machine(device: str, *, tiny: bool) -> dict[str, object]:
    """On what it was measured, and with which versions."""
    torch = import_module("torch")
    return {
        "tiny": tiny,
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "memory_gb": torch.cuda.get_device_properties(0).total_memory / 1e9 if device == "cuda" else 0.0,
        "cuda": torch.version.cuda if device == "cuda" else None,
        "python": ".".join(map(str, sys.version_info[:3])),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
    }


def _print(record: dict[str, Any], rows: Sequence[Row]) -> None:
    toy = ", a toy shape: these are no figures" if record["tiny"] else ""
    print(f"{record['stage']} with {record['library']} on {record['device']}{toy}")
    print(
        f"{'dtype':10} {'memory':>7} {'batch':>6} {'seconds':>10} {'audio s/s':>11} {'GPU s/hour':>11} {'peak GB':>8}"
    )
    for row in rows:
        timed = "no room" if row.seconds is None else f"{row.seconds:.4f}"
        hour = "-" if row.hour_seconds is None else f"{row.hour_seconds:.2f}"
        figures = f"{timed:>10} {row.rate:11.1f} {hour:>11} {row.peak_gb:8.2f}"
        print(f"{row.dtype:10} {row.fraction:7.2f} {row.batch:6} {figures}")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numbers(kind: type) -> Callable[[str], list[Any]]:
    return lambda text: [kind(one) for one in text.split(",")]
