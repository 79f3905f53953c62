"""XTTS v2: speaks fourteen languages with the voice of whoever is heard in a few seconds of reference."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from actors.contracts.audio import Clip, Samples
from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.models import ModelSpec
from actors.contracts.speech import Speech, SpeechRequest, VoiceOffer
from actors.models import chosen_model, info_of, loading, require_files, require_package
from actors.speech import xtts_languages
from actors.speech.edges import trimmed
from actors.speech.kept import KeptVoices
from actors.speech.seeds import seed_of
from actors.speech.xtts_decoder import Prompt, Sampling, XttsDecoder
from actors.speech.xtts_vocoder import XttsVocoder
from actors.torch_share import keep_to_share

_FILES = ("config.json", "model.pth", "vocab.json", "speakers_xtts.pth")
XTTS = ModelSpec(
    name="xtts-v2",
    source="coqui/XTTS-v2",
    revision="main",
    licence="LicenseRef-Coqui-Public-Model-License",
    commercial_use=False,
    gigabytes=1.9,
    files=_FILES,
)
_SLOWEST, _FASTEST = 0.7, 1.4
_PAUSE_SECONDS = 0.12
"""Between the parts of a text that is too long to be said at once."""
_VOICES_KEPT = 256
_ATTEMPTS = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Voice:
    """What the networks know of a speaker: tensors (1, latents, width) and (1, 512, 1)."""

    conditioning: Any
    embedding: Any


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """As much of a request's text as can be said at once."""

    request: int
    prompt: Prompt
    voice: _Voice
    rate: float


class Xtts:
    """Utterances of all films and speakers share its batches.

    Parameters: `model` (a folder or repository with the files of the usual one), `temperature` (0 is the likeliest
    reading).
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._spec = chosen_model(options, XTTS)
        self._temperature = options.number("temperature", -1.0)  # negative: as the checkpoint's own settings say
        self._model: Any = None
        self._voices: KeptVoices[str, _Voice] = KeptVoices(_VOICES_KEPT)

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        version = "1" + (f"-t{self._temperature:g}" if self._temperature >= 0 else "")
        return info_of("xtts", Capability.SPEECH, version, self._spec, code="MPL-2.0")

    @property
    def clones(self) -> bool:
        """It does."""
        return True

    @property
    def rates(self) -> tuple[float, float]:
        """The slowest and the fastest rate."""
        return _SLOWEST, _FASTEST

    def check(self) -> None:
        """Tell whether the library and the weights are there.

        Raises:
            EngineError: `model_missing`.
        """
        require_package("TTS", "gpu", "speech.xtts")
        require_files(self._spec.folder(self._options.models), _FILES, Capability.SPEECH, "xtts", self._spec)

    def load(self) -> None:
        """Load the networks.

        Raises:
            EngineError: `model_missing` or `model_load_failed`.
        """
        self.check()
        from TTS.tts.configs.xtts_config import XttsConfig
        from TTS.tts.models.xtts import Xtts as Library

        keep_to_share(self._options)
        folder = self._spec.folder(self._options.models)
        with loading(self._spec):
            config = XttsConfig()
            config.load_json(str(folder / "config.json"))
            model = Library(config)
            model.load_checkpoint(config, checkpoint_dir=folder, eval=True)
            model.to(self._options.device)
        temperature = self._temperature if self._temperature >= 0 else float(config.temperature)
        sampling = Sampling(temperature, config.top_k, config.top_p, float(config.repetition_penalty))
        self._decoder = XttsDecoder(model.gpt, sampling)
        self._vocoder = XttsVocoder(model.hifigan_decoder, together=self._options.device == "cuda")
        self._model = model

    def languages(self) -> frozenset[str]:
        """Languages that it speaks."""
        return frozenset(xtts_languages.LETTERS)

    def voices(self, language: str) -> tuple[VoiceOffer, ...]:
        """The speakers that come with it, for those who have no voice of their own."""
        return xtts_languages.VOICES if xtts_languages.spoken(language) else ()

    def run(self, batch: Sequence[SpeechRequest]) -> Sequence[Speech | EngineError]:
        """Say utterances."""
        if self._model is None:
            raise EngineError("load the speech engine before it is used", code="model_load_failed")
        parts: list[_Part] = []
        refused: dict[int, EngineError] = {}
        for i, request in enumerate(batch):
            try:
                parts += self._parts(i, request)
            except EngineError as error:
                refused[i] = error
        waves: list[list[Samples | None]] = [[] for _ in batch]
        for part, wave in zip(parts, self._say(parts), strict=True):
            waves[part.request].append(wave)
        return [refused.get(i) or self._joined(waves[i]) for i in range(len(batch))]

    def close(self) -> None:
        """Free the memory of the networks."""
        self._model = None
        self._voices.clear()

    def _parts(self, number: int, request: SpeechRequest) -> list[_Part]:
        language = xtts_languages.spoken(request.language)
        if language is None:
            raise EngineError(
                f"XTTS does not speak {request.language}; choose another speech engine or language",
                code="unsupported_language",
            )
        texts = list(xtts_languages.pieces(request.text, language))
        if not texts:
            raise EngineError("XTTS cannot say a text without words")
        voice = self._voice(request)
        rate = min(_FASTEST, max(_SLOWEST, request.rate))
        return [_Part(number, self._prompt(text, language, request.voice, voice), voice, rate) for text in texts]

    def _prompt(self, text: str, language: str, name: str, voice: _Voice) -> Prompt:
        tokens = self._model.tokenizer.encode(text.lower(), lang=language)
        if len(tokens) >= self._model.args.gpt_max_text_tokens:
            raise EngineError(f"XTTS cannot say {len(tokens)} tokens at once: {text[:40]}...")
        return Prompt(tokens, len(text), voice.conditioning, seed_of(text, language, name))

    def _voice(self, request: SpeechRequest) -> _Voice:
        if request.reference is None:
            speakers = self._model.speaker_manager.speakers
            if request.voice not in speakers:
                raise EngineError(f"XTTS has no voice '{request.voice}'", code="invalid_request")
            known = speakers[request.voice]
            device = self._model.device
            return _Voice(known["gpt_cond_latent"].to(device), known["speaker_embedding"].to(device))
        if request.voice not in self._voices:
            self._voices[request.voice] = self._learned(request.reference)
        return self._voices[request.voice]

    def _learned(self, reference: Clip) -> _Voice:
        import torch

        config = self._model.config
        heard = torch.from_numpy(reference.samples[: round(config.max_ref_len * reference.rate)])[None]
        try:
            conditioning = self._model.get_gpt_cond_latents(
                heard, reference.rate, length=config.gpt_cond_len, chunk_length=config.gpt_cond_chunk_len
            )
            return _Voice(conditioning, self._model.get_speaker_embedding(heard, reference.rate))
        except RuntimeError as error:
            raise EngineError(
                f"the voice cannot be learned from {reference.seconds:.1f} s of speech: {error}"
            ) from error

    def _say(self, parts: Sequence[_Part]) -> list[Samples | None]:
        """The sound of each part; None where the model does not come to an end."""
        said: dict[int, Any] = {}
        for attempt in range(_ATTEMPTS):
            open_parts = [i for i in range(len(parts)) if i not in said]
            if not open_parts:
                break
            prompts = [replace(parts[i].prompt, seed=parts[i].prompt.seed + attempt) for i in open_parts]
            decoded = self._decoder.decode(prompts)
            said |= {i: one.latents for i, one in zip(open_parts, decoded, strict=True) if one.ended}
        done = sorted(said)
        speakers, rates = [parts[i].voice.embedding for i in done], [parts[i].rate for i in done]
        waves = self._vocoder.speak([said[i] for i in done], speakers, rates) if done else []
        sounds = {i: np.asarray(wave.numpy(), np.float32) for i, wave in zip(done, waves, strict=True)}
        return [sounds.get(i) for i in range(len(parts))]

    def _joined(self, waves: Sequence[Samples | None]) -> Speech | EngineError:
        rate = int(self._model.config.audio.output_sample_rate)
        heard = [trimmed(wave, rate) for wave in waves if wave is not None]
        if len(heard) < len(waves):
            return EngineError("XTTS found no end of this text", retryable=True)
        pause = np.zeros(round(_PAUSE_SECONDS * rate), np.float32)
        joined = [heard[0]]
        for wave in heard[1:]:
            joined += [pause, wave]
        return Speech(np.concatenate(joined), rate)
