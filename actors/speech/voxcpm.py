"""VoxCPM2: speaks thirty languages with the voice of a few seconds of reference, and may be used for money."""

import os
import tempfile
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from actors.contracts.audio import Clip
from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.models import ModelSpec
from actors.contracts.speech import Speech, SpeechRequest, VoiceOffer
from actors.contracts.voices import Gender
from actors.languages import lookup
from actors.models import chosen_model, info_of, loading, require_files, require_package
from actors.speech.edges import trimmed
from actors.speech.kept import KeptVoices
from actors.speech.reading import text as reading
from actors.speech.seeds import seed_of
from actors.speech.voxcpm_decoder import Decoded, Prompt, VoxCpmDecoder, waveforms
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
_ATTEMPTS = 3
"""How often a line is said whose end the model does not find."""
_POSITIONS = 2048
"""Voice, text and sound of the longest line: a minute of speech and more."""


@dataclass(frozen=True, slots=True, eq=False)
class _Saying:
    """A text, and the voice: what the library keeps of a reference, or None where the text describes it."""

    text: str
    seed: tuple[str, ...]
    reference: Any


class VoxCpm:
    """Speaks many utterances at a time.

    Parameters: `model` (a folder or repository with the files of the usual one), `steps` (of the diffusion; more are
    slower and a little clearer), `batch` (utterances at a time).
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._spec = chosen_model(options, VOXCPM)
        self._steps = int(options.number("steps", 10))
        self._batch = int(options.number("batch", 16 if options.device == "cuda" else 4))
        self._model: Any = None
        self._decoder: VoxCpmDecoder | None = None
        self._voices: KeptVoices[str, Any] = KeptVoices(_VOICES_KEPT)

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        return info_of("voxcpm", Capability.SPEECH, f"2-{reading.VERSION}-s{self._steps}", self._spec)

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
            self._model = VoxCPM2Model.from_local(str(folder), optimize=False, device=self._options.device)
        self._decoder = VoxCpmDecoder(
            self._model,
            steps=self._steps,
            rows=self._batch,
            positions=min(_POSITIONS, self._model.config.max_length),
        )
        self._model.optimize(disable=not on_gpu)  # compiles the steps as they now are

    def languages(self) -> frozenset[str]:
        """Languages that it speaks."""
        return LANGUAGES

    def voices(self, language: str) -> tuple[VoiceOffer, ...]:
        """Invented voices, for those who have no voice of their own."""
        if lookup(language, LANGUAGES) is None:
            return ()
        return tuple(VoiceOffer(name, Gender.FEMALE if name.startswith("woman") else Gender.MALE) for name in _DESIGNS)

    def run(self, batch: Sequence[SpeechRequest]) -> Sequence[Speech | EngineError]:
        """Say utterances, all at once."""
        if self._decoder is None:
            raise EngineError("load the speech engine before it is used", code="model_load_failed")
        refused = {i: error for i, request in enumerate(batch) if (error := _refusal(request))}
        voices = self._voices_of(
            {request.voice: request.reference for i, request in enumerate(batch) if i not in refused}
        )
        refused |= {
            i: error
            for i, request in enumerate(batch)
            if i not in refused and isinstance(error := voices[request.voice], EngineError)
        }
        sayings = {
            i: _Saying(text, (text, request.voice), voices[request.voice])
            for i, request in enumerate(batch)
            if i not in refused
            for text in [_text_of(request)]
        }
        said = dict(zip(sayings, self._say(list(sayings.values())), strict=True))
        return [refused[i] if i in refused else said[i] for i in range(len(batch))]

    def close(self) -> None:
        """Free the memory of the networks."""
        self._model = self._decoder = None
        self._voices.clear()

    def _voices_of(self, references: Mapping[str, Clip | None]) -> dict[str, Any]:
        """What the library keeps of each voice, by its name; an error for a voice that cannot be had."""
        found: dict[str, Any] = {name: self._voices[name] for name in references if name in self._voices}
        heard = {name: clip for name, clip in references.items() if clip and name not in found}
        invented = [name for name, clip in references.items() if clip is None and name not in found]
        found |= {
            name: EngineError(f"VoxCPM has no voice '{name}'", code="invalid_request")
            for name in invented
            if name not in _DESIGNS
        }
        designs = [name for name in invented if name in _DESIGNS]
        auditions = self._say([_Saying(_DESIGNS[name] + _AUDITION, (_AUDITION, name), None) for name in designs])
        for name, audition in zip(designs, auditions, strict=True):
            if isinstance(audition, EngineError):
                found[name] = audition
            else:
                heard[name] = Clip(audition.samples, audition.sample_rate)
        for name, clip in heard.items():
            found[name] = self._learned(name, clip)
        return found

    def _learned(self, name: str, reference: Clip) -> Any:
        if not len(reference.samples):
            return EngineError("a voice cannot be learned from silence")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "reference.wav"
            with wave.open(str(path), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(reference.rate)
                file.writeframes((np.clip(reference.samples, -1, 1) * 32767).astype("<i2").tobytes())
            voice = self._model.build_prompt_cache(reference_wav_path=str(path))["ref_audio_feat"]
        self._voices[name] = voice
        return voice

    def _say(self, sayings: Sequence[_Saying]) -> list[Speech | EngineError]:
        """Say texts; those that come to no end again, with other noise."""
        said: dict[int, Speech | EngineError] = {}
        for attempt in range(_ATTEMPTS):
            left = [i for i in range(len(sayings)) if i not in said]
            decoded = dict(zip(left, self._decode([sayings[i] for i in left], attempt), strict=True))
            ended = [i for i in left if decoded[i].ended]
            waves = waveforms(self._model, [decoded[i].patches for i in ended], self._together)
            said |= {i: self._speech(wave) for i, wave in zip(ended, waves, strict=True)}
        endless = EngineError("VoxCPM found no end of this text", retryable=True)
        return [said.get(i, endless) for i in range(len(sayings))]

    def _decode(self, sayings: Sequence[_Saying], attempt: int) -> list[Decoded]:
        if self._decoder is None:
            raise EngineError("load the speech engine before it is used", code="model_load_failed")
        tokenize = self._model.text_tokenizer
        return self._decoder.decode(
            [Prompt(tokenize(saying.text), saying.reference, seed_of(*saying.seed) + attempt) for saying in sayings]
        )

    def _speech(self, wave_form: Any) -> Speech:
        rate = int(self._model.sample_rate)
        return Speech(trimmed(np.asarray(wave_form.numpy(), np.float32), rate), rate)

    @property
    def _together(self) -> int:
        """Lines whose sound is made in one batch; a processor is not quicker with more."""
        return self._batch if self._options.device == "cuda" else 1


def _text_of(request: SpeechRequest) -> str:
    return " ".join(reading.written_out(request.text, request.language).split())


def _refusal(request: SpeechRequest) -> EngineError | None:
    if lookup(request.language, LANGUAGES) is None:
        return EngineError(
            f"VoxCPM does not speak {request.language}; choose another speech engine or language",
            code="unsupported_language",
        )
    return None if _text_of(request) else EngineError("VoxCPM cannot say a text without words")
