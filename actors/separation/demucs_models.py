"""Demucs checkpoints as their maker publishes them: a bag of models, each with weights for its sources.

The names of classes in the files are looked at before the library follows them, so that a file can name nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RATE = 44_100
"""Hz of all that Demucs was trained on."""
VOICE = "vocals"
_CLASSES = frozenset({"demucs.htdemucs.HTDemucs"})


@dataclass(frozen=True, slots=True, eq=False)
class VoiceModel:
    """A network that hears voices.

    Attributes:
        network: Takes (batch, 2, window), gives (batch, sources, 2, window).
        voice: Which of the sources is the voice.
        window: Samples that it was trained on, and works on at a time.
        weight: How much it counts among the models of its bag, which add up to 1.
    """

    network: Any
    voice: int
    window: int
    weight: float


def voice_models(folder: Path, device: str) -> list[VoiceModel]:
    """The models of a bag that count for voices: of one that is tuned for each source in turn, a quarter of the work.

    Raises:
        ValueError: The files are something else.
    """
    import yaml

    (description,) = folder.glob("*.yaml")
    bag = yaml.safe_load(description.read_text(encoding="utf-8"))
    loaded = [_load(folder / f"{signature}.safetensors", device) for signature in bag["models"]]
    weights = bag.get("weights") or [[1.0] * len(network.sources) for network in loaded]
    return list(_counting(loaded, weights))


def _load(path: Path, device: str) -> Any:
    from demucs.hf import load_safetensors_model
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        described = file.metadata() or {}
    if described.get("klass") not in _CLASSES or "structure" in described:
        raise ValueError(f"{path.name} holds no plain model of Hybrid Transformer Demucs")
    network: Any = load_safetensors_model(path)
    if network.samplerate != RATE or network.audio_channels != 2 or VOICE not in network.sources:  # noqa: PLR2004
        raise ValueError(f"{path.name} does not tell voices in stereo at {RATE} Hz")
    return network.eval().to(device)


def _counting(networks: list[Any], weights: list[list[float]]) -> Iterator[VoiceModel]:
    voices = [list(network.sources).index(VOICE) for network in networks]
    total = sum(weights[i][voice] for i, voice in enumerate(voices))
    for network, voice, own in zip(networks, voices, weights, strict=True):
        if own[voice]:
            yield VoiceModel(network, voice, int(network.segment * network.samplerate), own[voice] / total)
