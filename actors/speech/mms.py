"""MMS: one small neural voice for each of a thousand languages."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from langcodes import Language, tag_is_valid

from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.models import ModelSpec
from actors.contracts.speech import Speech, SpeechRequest, VoiceOffer
from actors.contracts.voices import Gender
from actors.languages import lookup
from actors.models import chosen_model, info_of, loading, require_files, require_package
from actors.speech.edges import trimmed
from actors.speech.reading import text as reading
from actors.speech.seeds import seed_of
from actors.torch_share import keep_to_share

_FILES = ("config.json", "model.safetensors", "vocab.json", "tokenizer_config.json")
_PATTERNS = (*_FILES, "special_tokens_map.json", "added_tokens.json")
_REPOSITORIES = "facebook/mms-tts"
_SLOWEST, _FASTEST = 0.6, 1.7
_VOICE = VoiceOffer("mms", Gender.UNKNOWN)
_USUAL = "es,fr,de,pt,ca"


class Mms:
    """Speaks utterances one after the other; each of its languages is a network of its own, loaded when it is needed.

    Parameters: `languages` (which ones: `es,ca,eu`), `model` (a folder that holds a folder for each of them, named by
    its code of three letters).
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._tags = tuple(tag.strip() for tag in options.parameters.get("languages", _USUAL).split(","))
        if wrong := [tag for tag in self._tags if not tag_is_valid(tag)]:
            raise EngineError(
                f"the parameter 'languages' of speech.mms names no language: {', '.join(wrong)}", code="invalid_request"
            )
        self._loaded: dict[str, tuple[Any, Any]] = {}
        self._ready = False

    @cached_property
    def _specs(self) -> dict[str, ModelSpec]:
        """The weights of each language."""
        return {tag: self._spec(Language.get(tag).to_alpha3()) for tag in self._tags}

    def _spec(self, code: str) -> ModelSpec:
        usual = ModelSpec(
            name=f"mms-tts-{code}",
            source=f"{_REPOSITORIES}-{code}",
            revision="main",
            licence="CC-BY-NC-4.0",
            commercial_use=False,
            gigabytes=0.15,
            files=_PATTERNS,
        )
        folder = self._options.parameters.get("model", "")
        if not folder:
            return usual
        return chosen_model(replace(self._options, parameters={"model": str(Path(folder) / code)}), usual)

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        return info_of("mms", Capability.SPEECH, f"1-{reading.VERSION}", *self._specs.values())

    @property
    def clones(self) -> bool:
        """It cannot."""
        return False

    @property
    def rates(self) -> tuple[float, float]:
        """The slowest and the fastest rate."""
        return _SLOWEST, _FASTEST

    def check(self) -> None:
        """Tell whether the libraries and the weights are there.

        Raises:
            EngineError: `model_missing`.
        """
        require_package("transformers", "cpu", "speech.mms")
        for spec in self._specs.values():
            require_files(spec.folder(self._options.models), _FILES, Capability.SPEECH, "mms", spec)

    def load(self) -> None:
        """Import the libraries; networks are loaded at their first use.

        Raises:
            EngineError: `model_missing`.
        """
        self.check()

        keep_to_share(self._options)
        self._ready = True

    def languages(self) -> frozenset[str]:
        """Languages whose weights are wanted here."""
        return frozenset(self._tags)

    def voices(self, language: str) -> tuple[VoiceOffer, ...]:
        """One for each language; nobody knows whether it sounds like a woman or a man."""
        return (_VOICE,) if lookup(language, self._tags) else ()

    def run(self, batch: Sequence[SpeechRequest]) -> Sequence[Speech | EngineError]:
        """Say utterances."""
        if not self._ready:
            raise EngineError("load the speech engine before it is used", code="model_load_failed")
        return [self._serve(request) for request in batch]

    def close(self) -> None:
        """Free the memory of the networks."""
        self._loaded.clear()
        self._ready = False

    def _serve(self, request: SpeechRequest) -> Speech | EngineError:
        tag = lookup(request.language, self._tags)
        if tag is None:
            return EngineError(
                f"MMS is not set up for {request.language}; name it in the parameter 'languages' of speech.mms",
                code="unsupported_language",
            )
        if request.voice != _VOICE.id:
            return EngineError(f"MMS has no voice '{request.voice}'", code="invalid_request")
        try:
            return self._say(
                reading.written_out(request.text, request.language), tag, min(_FASTEST, max(_SLOWEST, request.rate))
            )
        except EngineError as error:
            return error

    def _say(self, text: str, tag: str, rate: float) -> Speech:
        import torch

        tokenizer, model = self._network(tag)
        inputs = tokenizer(text, return_tensors="pt").to(model.device)
        if inputs["input_ids"].shape[1] < 1 + 2 * tokenizer.add_blank:
            raise EngineError(f"MMS knows no letter of this text: {text[:40]}")
        torch.manual_seed(seed_of(text, tag))
        with torch.inference_mode():
            spoken = model(**inputs, speaking_rate=model.speaking_rate * rate).waveform[0]
        sample_rate = int(model.config.sampling_rate)
        return Speech(trimmed(np.asarray(spoken.float().cpu().numpy(), np.float32), sample_rate), sample_rate)

    def _network(self, tag: str) -> tuple[Any, Any]:
        if tag not in self._loaded:
            from transformers import VitsModel, VitsTokenizer

            spec = self._specs[tag]
            folder = spec.folder(self._options.models)
            with loading(spec):
                tokenizer = VitsTokenizer.from_pretrained(folder)
                model: Any = VitsModel.from_pretrained(folder)
                model.eval().to(self._options.device)
            if tokenizer.is_uroman:
                require_package("uroman", "cpu", "speech.mms")
            self._loaded[tag] = tokenizer, model
        return self._loaded[tag]
