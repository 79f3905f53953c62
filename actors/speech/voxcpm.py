"""VoxCPM2: speaks thirty languages with the voice of a few seconds of reference, and may be used for money."""

import os
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from actors.contracts.audio import Clip
from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.models import ModelSpec
from actors.contracts.speech import Speech, SpeechRequest, VoiceOffer
from actors.contracts.voices import Gender
from actors.languages import lookup
from actors.models import chosen_model, identity, loading, require_files, require_package
from actors.speech.edges import trimmed
from actors.speech.seeds import seed_of
from actors.torch_share import keep_to_share

_FILES = ("config.json", "model.safetensors", "audiovae.pth", "tokenizer.json")
VOXCPM = ModelSpec(
    name="voxcpm2",
    source="openbmb/VoxCPM2",
    revision="main",
    licence="Apache-2.0",
    gigabytes=5.0,
    files=(*_FILES, "tokenizer_config.json", "special_tokens_map.json"),
)
LANGUAGES = frozenset(
    (
        *("ar", "da", "de", "el", "en", "es", "fi", "fr", "he", "hi", "id", "it", "ja", "km", "ko"),
        *("lo", "ms", "my", "nl", "no", "pl", "pt", "ru", "sv", "sw", "th", "tl", "tr", "vi", "zh"),
    )
)
_AGES = ("A young", "A middle-aged", "An elderly")
_MANNERS = ("with a calm, clear voice", "with a warm, low voice", "with a bright, lively voice")
_DESIGNS = {
    f"{person}{1 + len(_MANNERS) * i + j}": f"({age} {person} {manner})"
    for i, age in enumerate(_AGES)
    for j, manner in enumerate(_MANNERS)
    for person in ("woman", "man")
}
"""Voices that nobody has: the model invents them by description, once, and is then held to what it said."""
_AUDITION = "This is how I speak when I read a story to somebody who listens with great attention."
_VOICES_KEPT = 256
_MOST_PATCHES_A_TOKEN = 6
"""Speech that is not over by then never will be: the library's own measure."""


class VoxCpm:
    """Speaks utterances one after the other; its library has no batch.

    Parameters: `model` (a folder or repository with the files of the usual one), `steps` (of the diffusion; more are
    slower and a little clearer).
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._spec = chosen_model(options, VOXCPM)
        self._steps = int(options.number("steps", 10))
        self._model: Any = None
        self._voices: dict[str, Any] = {}

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        return EngineInfo(
            name="voxcpm",
            capability=Capability.SPEECH,
            version=f"1-s{self._steps}",
            model=identity(self._spec),
            licence=self._spec.licence,
            commercial_use=self._spec.commercial_use,
            needs=(self._spec,),
        )

    @property
    def clones(self) -> bool:
        """It does."""
        return True

    @property
    def rates(self) -> tuple[float, float]:
        """It has one rate."""
        return 1.0, 1.0

    def check(self) -> None:
        """Tell whether the library and the weights are there.

        Raises:
            EngineError: `model_missing`.
        """
        require_package("voxcpm", "gpu", "speech.voxcpm")
        require_files(self._spec.folder(self._options.models), _FILES, Capability.SPEECH, "voxcpm", self._spec)

    def load(self) -> None:
        """Load the networks.

        Raises:
            EngineError: `model_missing` or `model_load_failed`.
        """
        self.check()
        os.environ.setdefault("TQDM_DISABLE", "1")  # a bar for every line would fill the logs of workers
        from voxcpm.model.voxcpm2 import VoxCPM2Model

        on_gpu = self._options.device == "cuda"
        keep_to_share(self._options)
        folder = self._spec.folder(self._options.models)
        with loading(self._spec):
            self._model = VoxCPM2Model.from_local(str(folder), optimize=on_gpu, device=self._options.device)

    def languages(self) -> frozenset[str]:
        """Languages that it speaks."""
        return LANGUAGES

    def voices(self, language: str) -> tuple[VoiceOffer, ...]:
        """Invented voices, for those who have no voice of their own."""
        if lookup(language, LANGUAGES) is None:
            return ()
        return tuple(VoiceOffer(name, Gender.FEMALE if name.startswith("woman") else Gender.MALE) for name in _DESIGNS)

    def run(self, batch: Sequence[SpeechRequest]) -> Sequence[Speech | EngineError]:
        """Say utterances."""
        if self._model is None:
            raise EngineError("load the speech engine before it is used", code="model_load_failed")
        return [self._serve(request) for request in batch]

    def close(self) -> None:
        """Free the memory of the networks."""
        self._model = None
        self._voices.clear()

    def _serve(self, request: SpeechRequest) -> Speech | EngineError:
        if lookup(request.language, LANGUAGES) is None:
            return EngineError(
                f"VoxCPM does not speak {request.language}; choose another speech engine or language",
                code="unsupported_language",
            )
        text = " ".join(request.text.split())
        if not text:
            return EngineError("VoxCPM cannot say a text without words")
        try:
            return self._say(text, self._voice(request), seed_of(text, request.voice))
        except EngineError as error:
            return error

    def _voice(self, request: SpeechRequest) -> Any:
        """What the library keeps of a reference."""
        if request.voice not in self._voices:
            if len(self._voices) >= _VOICES_KEPT:
                self._voices.pop(next(iter(self._voices)))
            reference = request.reference or self._invented(request.voice)
            self._voices[request.voice] = self._learned(reference)
        return self._voices[request.voice]

    def _invented(self, voice: str) -> Clip:
        if voice not in _DESIGNS:
            raise EngineError(f"VoxCPM has no voice '{voice}'", code="invalid_request")
        audition = self._say(_DESIGNS[voice] + _AUDITION, None, seed_of(_AUDITION, voice))
        return Clip(audition.samples, audition.sample_rate)

    def _learned(self, reference: Clip) -> Any:
        if not len(reference.samples):
            raise EngineError("a voice cannot be learned from silence")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "reference.wav"
            with wave.open(str(path), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(reference.rate)
                file.writeframes((np.clip(reference.samples, -1, 1) * 32767).astype("<i2").tobytes())
            return self._model.build_prompt_cache(reference_wav_path=str(path))

    def _say(self, text: str, voice: Any, seed: int) -> Speech:
        import torch

        torch.manual_seed(seed)
        wave_form, _, patches = self._model.generate_with_prompt_cache(
            target_text=text,
            prompt_cache=voice,
            inference_timesteps=self._steps,
            retry_badcase=True,
            retry_badcase_ratio_threshold=_MOST_PATCHES_A_TOKEN,
        )
        if len(patches) >= _MOST_PATCHES_A_TOKEN * len(self._model.text_tokenizer(text)):
            raise EngineError("VoxCPM found no end of this text", retryable=True)
        rate = int(self._model.sample_rate)
        return Speech(trimmed(np.asarray(wave_form[0].float().numpy(), np.float32), rate), rate)
