"""Demucs: takes voices out of music and noise."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.models import ModelSpec
from actors.contracts.separation import Background, SeparationRequest, Stereo
from actors.models import chosen_model, info_of, loading, require_files, require_package
from actors.separation import windows
from actors.separation.demucs_models import RATE, VoiceModel, voice_models
from actors.torch_share import keep_to_share

HTDEMUCS = ModelSpec(
    name="htdemucs",
    source="adefossez/HTDemucs",
    revision="main",
    licence="MIT",
    gigabytes=0.1,
    files=("*.yaml", "*.safetensors"),
)
_SILENCE = 1e-6
"""Of a recording's standard deviation: less is as good as none."""


class Demucs:
    """Subtracts what a network takes for voices, so that what it knows nothing of stays as it was.

    The windows of all scenes share batches. Parameters: `model` (a folder or repository of a bag of models, such as
    `adefossez/HTDemucs-ft`), `batch` (windows at once).
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._spec = chosen_model(options, HTDEMUCS)
        self._batch = max(1, int(options.number("batch", 8 if options.device == "cuda" else 2)))
        self._models: list[VoiceModel] = []

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        return info_of("demucs", Capability.SEPARATION, "1", self._spec)

    @property
    def rate(self) -> int:
        """Hz of what it takes and gives."""
        return RATE

    def check(self) -> None:
        """Tell whether the library and the weights are there.

        Raises:
            EngineError: `model_missing`.
        """
        require_package("demucs", "cpu", "separation.demucs")
        folder = self._spec.folder(self._options.models)
        missing = tuple(pattern for pattern in HTDEMUCS.files if not any(folder.glob(pattern)))
        require_files(folder, missing, Capability.SEPARATION, "demucs", self._spec)

    def load(self) -> None:
        """Load the networks.

        Raises:
            EngineError: `model_missing` or `model_load_failed`.
        """
        self.check()
        keep_to_share(self._options)
        with loading(self._spec):
            self._models = voice_models(self._spec.folder(self._options.models), self._options.device)

    def run(self, batch: Sequence[SeparationRequest]) -> Sequence[Background | EngineError]:
        """Take the voices out of scenes, the windows of all of them together."""
        if not self._models:
            raise EngineError("load the separator before it is used", code="model_load_failed")
        refused = {i: error for i, request in enumerate(batch) if (error := _refusal(request.sound))}
        asked = [i for i, request in enumerate(batch) if i not in refused and len(request.sound)]
        voices = dict(zip(asked, self._voices([batch[i].sound for i in asked]), strict=True))
        return [refused.get(i) or _without(request.sound, voices.get(i)) for i, request in enumerate(batch)]

    def close(self) -> None:
        """Free the memory of the networks."""
        self._models = []

    def _voices(self, sounds: Sequence[Stereo]) -> list[Stereo]:
        """What is voice in each recording: the mean of the models, by their weights."""
        leveled = [_leveled(sound) for sound in sounds]
        voices = [np.zeros_like(sound) for sound in sounds]
        for model in self._models:
            heard = self._hear(model, [sound for sound, _ in leveled])
            for i, (_, scale) in enumerate(leveled):
                voices[i] += np.float32(model.weight * scale) * heard[i]
        return voices

    def _hear(self, model: VoiceModel, sounds: Sequence[Stereo]) -> list[Stereo]:
        joined = [windows.Joined(len(sound), model.window) for sound in sounds]
        places = [(i, start) for i, sound in enumerate(sounds) for start in windows.starts(len(sound), model.window)]
        for first in range(0, len(places), self._batch):
            some = places[first : first + self._batch]
            heard = self._ask(model, np.stack([windows.cut(sounds[i], start, model.window) for i, start in some]))
            for (i, start), voice in zip(some, heard, strict=True):
                joined[i].add(start, voice)
        return [one.sound for one in joined]

    def _ask(self, model: VoiceModel, cut: Any) -> Any:
        """(batch, window, 2) of all that is heard, and of the voice in it."""
        import torch

        with torch.inference_mode():
            mixed = torch.from_numpy(cut).to(self._options.device).transpose(1, 2)
            return model.network(mixed)[:, model.voice].transpose(1, 2).float().cpu().numpy()


def _refusal(sound: Stereo) -> EngineError | None:
    if sound.ndim != 2 or sound.shape[1] != 2:  # noqa: PLR2004 - stereo
        return EngineError(f"the separator takes samples of two channels, got shape {sound.shape}")
    if not np.isfinite(sound).all():
        return EngineError("the sound has samples that are not finite numbers")
    return None


def _leveled(sound: Stereo) -> tuple[Stereo, float]:
    """A recording as loud as those that Demucs has learnt from, and the factor that makes it what it was."""
    scale = float(sound.std())
    if scale < _SILENCE:
        return np.zeros_like(sound), 0.0
    return (sound - sound.mean()) / np.float32(scale), scale


def _without(sound: Stereo, voice: Stereo | None) -> Background | EngineError:
    if voice is None:
        return Background(sound)
    if not np.isfinite(voice).all():
        return EngineError("the separator lost its way in this sound")
    return Background(sound - voice)
