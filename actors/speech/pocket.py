"""pocket-tts: a small network that clones voices on a processor, in seven languages, and may be used for money."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from actors.contracts.audio import Clip
from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.models import ModelSpec
from actors.contracts.speech import Speech, SpeechRequest, VoiceOffer
from actors.languages import lookup
from actors.models import chosen_model, identity, loading, require_files, require_package
from actors.speech import pocket_languages
from actors.speech.edges import trimmed
from actors.speech.kept import KeptVoices
from actors.speech.pocket_languages import LANGUAGES
from actors.speech.reading import text as reading
from actors.speech.seeds import seed_of
from actors.torch_share import keep_to_share

_LICENCE = "CC-BY-4.0"
_HEARD_SECONDS = 30.0
"""The library takes no longer references."""
_VOICES_KEPT = 64
"""What the network keeps of a voice is some 10 MB."""
_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class _Files:
    """The weights of one language: three specifications, since three commits hold them."""

    name: str
    weights: ModelSpec
    tokenizer: ModelSpec
    voices: ModelSpec

    @property
    def specs(self) -> tuple[ModelSpec, ...]:
        return self.weights, self.tokenizer, self.voices


class Pocket:
    """Speaks utterances one after the other; its library has no batch. Each language is a network of its own.

    Parameters: `languages` (which ones: `es,fr,de`), `cloning` (`no` for the networks that anybody may fetch, which do
    not clone), `model` (a folder like the library's repository: `languages/spanish/...`, with a `config.yaml` there
    where a network is not of the usual size).
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._cloning = options.parameters.get("cloning", "yes") != "no"
        self._tags = tuple(tag.strip() for tag in options.parameters.get("languages", ",".join(LANGUAGES)).split(","))
        if unknown := [tag for tag in self._tags if tag not in LANGUAGES]:
            raise EngineError(
                f"pocket-tts does not speak {', '.join(unknown)}; its languages are {', '.join(LANGUAGES)}",
                code="invalid_request",
            )
        self._ready = False
        self._networks: dict[str, Any] = {}
        self._voices: KeptVoices[tuple[str, str], Any] = KeptVoices(_VOICES_KEPT)

    @cached_property
    def _own(self) -> ModelSpec | None:
        """A folder of the user's own that holds everything."""
        usual = ModelSpec("pocket-tts", pocket_languages.OPEN, pocket_languages.VOICES_REVISION, _LICENCE)
        chosen = chosen_model(self._options, usual)
        return None if chosen is usual else chosen

    @cached_property
    def _files(self) -> dict[str, _Files]:
        return {tag: self._files_of(tag) for tag in self._tags}

    def _files_of(self, tag: str) -> _Files:
        language = LANGUAGES[tag]
        folder = f"languages/{language.name}"
        files = (f"{folder}/model.safetensors",)
        repository = pocket_languages.CLONING if self._cloning else pocket_languages.OPEN
        commit = language.cloning if self._cloning else language.open
        name = f"pocket-tts-{language.name}"
        weights = ModelSpec(name if self._cloning else f"{name}-open", repository, commit, _LICENCE, True, 0.25, files)
        tokenizer = ModelSpec(
            f"{name}-tokenizer",
            pocket_languages.OPEN,
            language.tokenizer,
            _LICENCE,
            files=(f"{folder}/tokenizer.json",),
        )
        voices = ModelSpec(
            f"{name}-voices",
            pocket_languages.OPEN,
            pocket_languages.VOICES_REVISION,
            _LICENCE,
            gigabytes=0.2,
            files=tuple(f"{folder}/embeddings/{voice}.safetensors" for voice in pocket_languages.voices(tag)),
        )
        if self._own is not None:
            own = self._own
            weights, tokenizer, voices = (replace(own, files=one.files) for one in (weights, tokenizer, voices))
        return _Files(folder, weights, tokenizer, voices)

    @property
    def info(self) -> EngineInfo:
        """Who the engine is; which of its languages are wanted here changes nothing of what they sound like."""
        commits = blake2b(repr(sorted(LANGUAGES.items())).encode(), digest_size=6).hexdigest()
        return EngineInfo(
            name="pocket",
            capability=Capability.SPEECH,
            version=f"1-{reading.VERSION}" + ("" if self._cloning else "-open"),
            model=identity(self._own) if self._own else f"pocket-tts@{commits}",
            licence=f"{_LICENCE} AND MIT",
            needs=tuple(dict.fromkeys(spec for files in self._files.values() for spec in files.specs)),
        )

    @property
    def clones(self) -> bool:
        """It does, with the networks for it."""
        return self._cloning

    @property
    def rates(self) -> tuple[float, float]:
        """It has one rate."""
        return 1.0, 1.0

    def check(self) -> None:
        """Tell whether the library and the weights are there.

        Raises:
            EngineError: `model_missing`.
        """
        require_package("pocket_tts", "cpu", "speech.pocket")
        for files in self._files.values():
            for spec in files.specs:
                require_files(spec.folder(self._options.models), spec.files, Capability.SPEECH, "pocket", spec)

    def load(self) -> None:
        """Import the library; networks are loaded at their first use.

        Raises:
            EngineError: `model_missing`.
        """
        self.check()
        import pocket_tts  # noqa: F401 - importing it changes PyTorch's threads

        os.environ["KPOCKET_TTS_ERROR_WITHOUT_EOS"] = "1"  # a text without an end is an error, not a babble
        keep_to_share(self._options)
        self._ready = True

    def languages(self) -> frozenset[str]:
        """Languages whose weights are wanted here."""
        return frozenset(self._tags)

    def voices(self, language: str) -> tuple[VoiceOffer, ...]:
        """The voices that come with it, for those who have no voice of their own."""
        tag = lookup(language, self._tags)
        return pocket_languages.offers(tag) if tag else ()

    def run(self, batch: Sequence[SpeechRequest]) -> Sequence[Speech | EngineError]:
        """Say utterances."""
        if not self._ready:
            raise EngineError("load the speech engine before it is used", code="model_load_failed")
        return [self._serve(request) for request in batch]

    def close(self) -> None:
        """Free the memory of the networks."""
        self._networks.clear()
        self._voices.clear()
        self._ready = False

    def _serve(self, request: SpeechRequest) -> Speech | EngineError:
        tag = lookup(request.language, self._tags)
        if tag is None:
            return EngineError(
                f"pocket-tts does not speak {request.language}; choose another speech engine or language",
                code="unsupported_language",
            )
        text = " ".join(reading.written_out(request.text, request.language).split())
        if not any(character.isalnum() for character in text):
            return EngineError("pocket-tts cannot say a text without words")
        try:
            return self._say(text, tag, request)
        except EngineError as error:
            return error

    def _say(self, text: str, tag: str, request: SpeechRequest) -> Speech:
        import torch

        network, voice = self._network(tag), self._voice(tag, request)
        for attempt in range(_ATTEMPTS):
            torch.manual_seed(seed_of(text, tag, request.voice) + attempt)
            try:
                sound = network.generate_audio(voice, text)
            except (RuntimeError, ValueError) as error:
                problem = error
                continue
            rate = int(network.sample_rate)
            return Speech(trimmed(np.asarray(sound.float().numpy(), np.float32), rate), rate)
        raise EngineError(f"pocket-tts cannot say this text: {problem}")

    def _network(self, tag: str) -> Any:
        if tag not in self._networks:
            with loading(self._files[tag].weights), tempfile.TemporaryDirectory() as scratch:
                self._networks[tag] = self._loaded(self._files[tag], Path(scratch) / "config.yaml")
        return self._networks[tag]

    def _loaded(self, files: _Files, description: Path) -> Any:
        """The library takes places of weights from a description only, whose own ones are addresses to load from."""
        import yaml
        from pocket_tts import TTSModel
        from pocket_tts.utils.config import CONFIGS_DIR

        place = files.weights.folder(self._options.models) / files.name
        own = place / "config.yaml"
        usual = CONFIGS_DIR / f"{place.name}.yaml"
        config = yaml.safe_load((own if own.exists() else usual).read_text(encoding="utf-8"))
        config["weights_path"] = str(place / "model.safetensors")
        config.pop("weights_path_without_voice_cloning", None)
        tokenizer = files.tokenizer.folder(self._options.models) / files.name / "tokenizer.json"
        config["flow_lm"]["lookup_table"]["tokenizer_path"] = str(tokenizer)
        description.write_text(yaml.safe_dump(config), encoding="utf-8")
        network = TTSModel.load_model(config=description)
        network.max_decoder_frames_per_call = 1  # else its last digits depend on how quick two threads are
        return network

    def _voice(self, tag: str, request: SpeechRequest) -> Any:
        """What the network of a language keeps of a voice."""
        known = tag, request.voice
        if known not in self._voices:
            learned = self._learned(tag, request.reference) if request.reference else self._stock(tag, request.voice)
            self._voices[known] = learned
        return self._voices[known]

    def _stock(self, tag: str, voice: str) -> Any:
        if voice not in pocket_languages.voices(tag):
            raise EngineError(f"pocket-tts has no voice '{voice}' for {tag}", code="invalid_request")
        files = self._files[tag]
        path = files.voices.folder(self._options.models) / files.name / "embeddings" / f"{voice}.safetensors"
        with loading(files.voices):
            return self._network(tag).get_state_for_audio_prompt(path)

    def _learned(self, tag: str, reference: Clip) -> Any:
        import torch
        from pocket_tts.data.audio_utils import convert_audio

        if not self._cloning:
            raise EngineError(
                "pocket-tts is set up with the networks that clone no voices (parameter 'cloning')",
                code="invalid_request",
            )
        samples = reference.samples[: round(_HEARD_SECONDS * reference.rate)]
        if not samples.any():
            raise EngineError("a voice cannot be learned from silence")
        network = self._network(tag)
        heard = convert_audio(torch.from_numpy(samples)[None], reference.rate, int(network.sample_rate), 1)
        try:
            return network.get_state_for_audio_prompt(heard)
        except (RuntimeError, ValueError) as error:
            raise EngineError(
                f"the voice cannot be learned from {reference.seconds:.1f} s of speech: {error}"
            ) from error
