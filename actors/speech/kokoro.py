"""Kokoro: a small neural voice that a processor speaks with, in seven languages."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.models import ModelSpec
from actors.contracts.speech import Speech, SpeechRequest, VoiceOffer
from actors.models import chosen_model, info_of, loading, require_files, require_package
from actors.onnx_session import open_network
from actors.speech import kokoro_voices
from actors.speech.reading import text as reading

_MODEL, _VOICES = "kokoro-v1.0.onnx", "voices-v1.0.bin"
KOKORO = ModelSpec(
    name="kokoro-82m-onnx",
    source="fastrtc/kokoro-onnx",
    revision="main",
    licence="Apache-2.0",
    gigabytes=0.4,
    files=(_MODEL, _VOICES),
)
_SLOWEST, _FASTEST = 0.5, 2.0


class Kokoro:
    """Speaks utterances one after the other; its network has no batch.

    Parameters: `model` (a folder or repository with the network and the voices, named as in the usual one).
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._spec = chosen_model(options, KOKORO)
        self._kokoro: Any = None

    @property
    def info(self) -> EngineInfo:
        """Who the engine is; pronunciation is eSpeak NG's, which is loaded into the process."""
        return info_of("kokoro", Capability.SPEECH, f"1-{reading.VERSION}", self._spec, code="GPL-3.0-or-later")

    @property
    def clones(self) -> bool:
        """It cannot."""
        return False

    @property
    def rates(self) -> tuple[float, float]:
        """The slowest and the fastest rate."""
        return _SLOWEST, _FASTEST

    def check(self) -> None:
        """Tell whether the library and the weights are there.

        Raises:
            EngineError: `model_missing`.
        """
        require_package("kokoro_onnx", "cpu", "speech.kokoro")
        folder = self._spec.folder(self._options.models)
        require_files(folder, (_MODEL, _VOICES), Capability.SPEECH, "kokoro", self._spec)

    def load(self) -> None:
        """Load the network.

        Raises:
            EngineError: `model_missing` or `model_load_failed`.
        """
        self.check()
        from kokoro_onnx import Kokoro as Library

        folder = self._spec.folder(self._options.models)
        with loading(self._spec):
            session = open_network(folder / _MODEL, self._options.threads)
            self._kokoro = Library.from_session(session, str(folder / _VOICES))

    def languages(self) -> frozenset[str]:
        """Languages that it has voices for."""
        return frozenset(kokoro_voices.VOICES)

    def voices(self, language: str) -> tuple[VoiceOffer, ...]:
        """The language's own voices first."""
        return kokoro_voices.offers(language)

    def run(self, batch: Sequence[SpeechRequest]) -> Sequence[Speech | EngineError]:
        """Say utterances."""
        if self._kokoro is None:
            raise EngineError("load the speech engine before it is used", code="model_load_failed")
        return [self._serve(request) for request in batch]

    def close(self) -> None:
        """Free the memory of the network."""
        self._kokoro = None

    def _serve(self, request: SpeechRequest) -> Speech | EngineError:
        language = kokoro_voices.spoken(request.language)
        if language is None:
            return EngineError(
                f"Kokoro does not speak {request.language}; choose another speech engine or language",
                code="unsupported_language",
            )
        if request.voice not in {offer.id for offer in kokoro_voices.offers(language)}:
            return EngineError(f"Kokoro has no voice '{request.voice}' for {language}", code="invalid_request")
        rate = min(_FASTEST, max(_SLOWEST, request.rate))
        phonemes = kokoro_voices.PHONEMIZER[language]
        try:
            text = reading.written_out(request.text, request.language)
            samples, sample_rate = self._kokoro.create(text, request.voice, speed=rate, lang=phonemes)
        except (ValueError, IndexError) as error:  # nothing in the text can be pronounced
            return EngineError(f"Kokoro cannot say this text: {error}")
        return Speech(np.asarray(samples, np.float32), int(sample_rate))
