"""What engines cost: memory, and seconds of a device for an hour of source; each figure tells where it comes from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cluster.errors import DubflowError, ErrorCode

SPEECH_SHARE = 0.6
"""Of an hour of source somebody speaks for so long: what all figures below are for."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one engine needs.

    Attributes:
        memory_gb: Of a GPU: weights, what a full batch takes, and CUDA's own.
        gpu_seconds: Of an H200, for an hour of source; of translation and speech for each target language.
        cpu_seconds: Of one core, for the same.
        origin: Where the figures come from; empty for an estimate.
    """

    memory_gb: float
    gpu_seconds: float
    cpu_seconds: float
    origin: str = ""


@dataclass(frozen=True, slots=True)
class GpuKind:
    """A kind of GPU: its memory, and its speed beside an H200 in what dubbing does (an estimate for each kind)."""

    name: str
    memory_gb: float
    speed: float


GPUS: Mapping[str, GpuKind] = MappingProxyType(
    {
        gpu.name: gpu
        for gpu in (
            GpuKind("B200", 180, 1.4),
            GpuKind("H200", 141, 1.0),
            GpuKind("H100", 80, 0.85),
            GpuKind("A100-80", 80, 0.5),
            GpuKind("A100", 40, 0.5),
            GpuKind("L40S", 48, 0.45),
            GpuKind("RTX4090", 24, 0.45),
            GpuKind("A10G", 24, 0.2),
            GpuKind("L4", 24, 0.18),
            GpuKind("T4", 16, 0.1),
        )
    }
)

ESTIMATES: Mapping[str, Load] = MappingProxyType(
    {
        "speech_activity.silero": Load(0.0, 0.0, 8.0),
        "separation.demucs": Load(6.0, 40.0, 2200.0),
        "diarization.acoustic": Load(0.0, 0.0, 18.0),
        "diarization.pyannote": Load(4.0, 31.0, 1500.0),
        "diarization.wespeaker": Load(0.0, 0.0, 210.0),
        "voice_analysis.pitch": Load(0.0, 0.0, 20.0),
        "transcription.pocketsphinx": Load(0.0, 0.0, 930.0),
        "transcription.whisper": Load(6.0, 11.0, 1150.0),
        "translation.apertium": Load(0.0, 0.0, 2.0),
        "translation.ctranslate2": Load(9.0, 6.0, 130.0),
        "translation.openai": Load(0.0, 0.0, 2.0),
        "translation.vllm": Load(20.0, 6.0, 10.0),
        "speech.espeak": Load(0.0, 0.0, 3.0),
        "speech.kokoro": Load(0.0, 0.0, 900.0),
        "speech.mms": Load(2.0, 8.0, 700.0),
        "speech.pocket": Load(0.0, 0.0, 1500.0),
        "speech.voxcpm": Load(9.0, 60.0, 40000.0),
        "speech.xtts": Load(8.0, 32.0, 14000.0),
    }
)
"""From published speeds of these libraries, converted to an hour of source of which people speak 60 %."""

MEDIA = Load(0.0, 0.0, 60.0)
"""Decoding, waveform and remuxing of an hour of source; never on a GPU."""
PUBLISHING = Load(0.0, 0.0, 120.0)
"""Mixing, encoding and subtitles of an hour of source, for each target language."""


_RECORD = "dubflow.gpu-benchmark/1"
"""What `benchmarks/gpu` writes."""


def loads(*measured: Path | None) -> Mapping[str, Load]:
    """Engine by `capability.name`: what was measured, where a file says so, else the estimates.

    Args:
        measured: Files of `benchmarks/gpu`, or objects of engines; of several that tell of an engine, the last counts.

    Raises:
        DubflowError: `invalid_request` for a file that is neither, or whose figures tell nothing about a GPU.
    """
    known = dict(ESTIMATES)
    for file in measured:
        if file is not None:
            known |= _read(file)
    return known


def _read(file: Path) -> Mapping[str, Load]:
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        origin = f"measured, {file.name}"
        if entries.get("format") == _RECORD:
            return {engine: _replaced(engine, **figures) for engine, figures in _figures(entries, origin).items()}
        return {engine: _replaced(engine, **{**figures, "origin": origin}) for engine, figures in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise DubflowError(
            ErrorCode.INVALID_REQUEST,
            f"the loads in {file} cannot be read ({error}); give it what benchmarks/gpu writes, or an object of "
            "engines, each with memory_gb, gpu_seconds or cpu_seconds",
        ) from error


def _replaced(engine: str, **figures: Any) -> Load:
    return replace(ESTIMATES.get(engine, Load(0.0, 0.0, 0.0)), **figures)


def _figures(record: Mapping[str, Any], origin: str) -> dict[str, dict[str, Any]]:
    """What a benchmark says of each engine, its seconds converted from those of its GPU."""
    if record["tiny"]:
        raise ValueError("they are of toy models, which measure nothing")
    kind = _kind(record["device"], record["memory_gb"])
    if kind is None:
        raise ValueError(f"the speed of the device '{record['device']}' is not known")
    return {
        engine: {
            **{name: value for name, value in figures.items() if name != "library"},
            "gpu_seconds": figures["gpu_seconds"] * kind.speed,
            "origin": f"{origin}, with {figures['library']}",
        }
        for engine, figures in record["loads"].items()
    }


def _kind(device: str, memory_gb: float) -> GpuKind | None:
    """The kind that a device's own name means: `NVIDIA A100-SXM4-80GB`; of two with one name, the nearest in memory."""
    words = device.upper().replace("-", " ").replace("RTX ", "RTX").split()
    named = [gpu for gpu in GPUS.values() if gpu.name.partition("-")[0].upper() in words]
    return min(named, key=lambda gpu: abs(gpu.memory_gb - memory_gb), default=None)
