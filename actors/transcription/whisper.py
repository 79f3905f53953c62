"""Whisper through faster-whisper and CTranslate2: a hundred languages, many windows of many recordings at a time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from actors.contracts.audio import ANALYSIS_RATE, Span
from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.models import ModelSpec
from actors.contracts.transcription import Transcription, TranscriptionRequest, Word
from actors.ctranslate2_share import ModelShape, keep_to_share
from actors.models import chosen_model, info_of, loading, require_files
from actors.transcription.guards import GuardRules, Verdict, is_silent
from actors.transcription.whisper_decoder import (
    MOST_TOKENS,
    WINDOW_FRAMES,
    Decoded,
    Heard,
    LanguageGuess,
    WhisperDecoder,
)
from actors.transcription.whisper_languages import LANGUAGES, to_bcp_47, to_code
from actors.transcription.windows import Window, pack

TURBO = ModelSpec(
    name="whisper-large-v3-turbo",
    source="mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    revision="0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
    licence="MIT",
    gigabytes=1.6,
)
SMALL = ModelSpec(
    name="whisper-small",
    source="Systran/faster-whisper-small",
    revision="536b0662742c02347bc0e980a01041f333bce120",
    licence="MIT",
    gigabytes=0.5,
)
_FILES = ("model.bin", "config.json", "tokenizer.json")
_LONGEST_WINDOW_SECONDS = 28.0
"""A little less than the half minute that the model hears: padding comes on top."""
_SURELY_ANOTHER = 0.8
"""A window whose own language is so probable is written in it, whatever the rest of the scene speaks."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A window and the scene that it belongs to."""

    scene: int
    window: Window


class Whisper:
    """Writes down speech, with the time of every word.

    Parameters: `model` (a folder, or a repository of CTranslate2 weights), `compute_type` (`float16` on GPUs, `int8` on
    CPUs), `batch` (windows at once: 16 on GPUs, 4 on CPUs), `beam` (hypotheses: 5 on GPUs, 1 on CPUs), `window`
    (seconds of speech in one window, 28 at most).
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        on_gpu = options.device == "cuda"
        parameters = options.parameters
        self._spec = chosen_model(options, TURBO if on_gpu else SMALL)
        self._compute_type = parameters.get("compute_type", "float16" if on_gpu else "int8")
        self._batch = int(options.number("batch", 16 if on_gpu else 4))
        self._beam = int(options.number("beam", 5 if on_gpu else 1))
        self._window = min(_LONGEST_WINDOW_SECONDS, options.number("window", _LONGEST_WINDOW_SECONDS))
        self._model: Any = None
        self._decoder: WhisperDecoder | None = None

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        version = f"2/{self._compute_type}/{self._beam}/{self._window:g}"
        return info_of("whisper", Capability.TRANSCRIPTION, version, self._spec)

    def languages(self) -> frozenset[str]:
        """A hundred of them."""
        return LANGUAGES

    def check(self) -> None:
        """Tell whether the weights are there.

        Raises:
            EngineError: `model_missing`.
        """
        folder = self._spec.folder(self._options.models)
        require_files(folder, _FILES, Capability.TRANSCRIPTION, "whisper", self._spec)

    def load(self) -> None:
        """Load the weights.

        Raises:
            EngineError: `model_missing` or `model_load_failed`.
        """
        self.check()
        batch = self._batch if self._options.device != "cuda" else self._windows_that_fit()
        from faster_whisper import WhisperModel

        with loading(self._spec):
            self._model = WhisperModel(
                str(self._spec.folder(self._options.models)),
                device=self._options.device,
                compute_type=self._compute_type,
                cpu_threads=self._options.threads,
                local_files_only=True,
            )
        self._decoder = WhisperDecoder(self._model, batch=batch, beam=self._beam, rules=GuardRules())

    def run(self, batch: Sequence[TranscriptionRequest]) -> Sequence[Transcription | EngineError]:
        """Transcribe scenes, their windows together in the model's batches."""
        refused = {i: error for i, request in enumerate(batch) if (error := _refusal(request))}
        places = [
            _Place(i, window)
            for i, request in enumerate(batch)
            if i not in refused
            for window in pack(request.clip, request.speech, self._window)
        ]
        texts, guesses = self._decode(batch, places)
        return [
            refused[i] if i in refused else _transcription(request, _of(i, places, texts), _of(i, places, guesses))
            for i, request in enumerate(batch)
        ]

    def close(self) -> None:
        """Free the memory of the weights; forgetting the model alone would not."""
        if self._model is not None:
            self._model.model.unload_model()
        self._model = self._decoder = None

    def _windows_that_fit(self) -> int:
        """Of the windows that are wanted at once, as many as the share of the GPU holds."""
        with loading(self._spec):
            shape = ModelShape.read(self._spec.folder(self._options.models))
        room = keep_to_share(self._options, shape, self._compute_type)
        return room.holds(shape.window_bytes(WINDOW_FRAMES, MOST_TOKENS, self._beam), wanted=self._batch)

    def _decode(
        self, requests: Sequence[TranscriptionRequest], places: Sequence[_Place]
    ) -> tuple[list[Decoded], list[LanguageGuess]]:
        """The text and the language of each window; a scene's language is known once all its windows were heard."""
        if self._decoder is None:
            raise EngineError("load the transcription engine before it is used", code="model_load_failed")
        windows = [
            Heard(place.window.samples(requests[place.scene].clip), ", ".join(requests[place.scene].terms))
            for place in places
        ]
        given = [requests[place.scene].language for place in places]
        batches = list(self._decoder.batches(windows, [to_code(language) if language else None for language in given]))
        guesses: dict[int, LanguageGuess] = {
            i: guess for one in batches for i, guess in zip(one.indices, one.guesses, strict=True)
        }
        languages = _languages(places, guesses)
        texts: dict[int, Decoded] = {}
        for one in batches:
            texts |= zip(one.indices, one.write([languages[i] for i in one.indices]), strict=True)
        return [texts[i] for i in range(len(places))], [guesses[i] for i in range(len(places))]


def _refusal(request: TranscriptionRequest) -> EngineError | None:
    if request.clip.rate != ANALYSIS_RATE:
        return EngineError(
            f"transcription needs audio at {ANALYSIS_RATE} Hz, not {request.clip.rate}", code="invalid_request"
        )
    if request.language is not None and to_code(request.language) is None:
        return EngineError(
            f"Whisper does not understand {request.language}; choose another transcription engine",
            code="unsupported_language",
        )
    if not np.isfinite(request.clip.samples).all():
        return EngineError("the sound of a scene holds values that are no numbers", code="invalid_request")
    return None


def _languages(places: Sequence[_Place], guesses: Mapping[int, LanguageGuess]) -> list[str]:
    """The language each window is written in: its scene's, or its own where that is surely another."""
    scenes = {scene: _scene_language(members) for scene, members in _by_scene(places, guesses).items()}
    chosen = []
    for i, place in enumerate(places):
        own, probability = guesses[i].best
        chosen.append(own if probability >= _SURELY_ANOTHER else scenes[place.scene][0])
    return chosen


def _by_scene(
    places: Sequence[_Place], guesses: Mapping[int, LanguageGuess]
) -> dict[int, list[tuple[LanguageGuess, float]]]:
    scenes: dict[int, list[tuple[LanguageGuess, float]]] = defaultdict(list)
    for i, place in enumerate(places):
        scenes[place.scene].append((guesses[i], place.window.seconds))
    return scenes


def _scene_language(heard: Sequence[tuple[LanguageGuess, float]]) -> tuple[str, float]:
    """The language of most of the speech, each window voting with its probabilities and its length."""
    votes: dict[str, float] = defaultdict(float)
    for guess, seconds in heard:
        for language, probability in guess.probabilities.items():
            votes[language] += probability * seconds
    language = max(sorted(votes), key=lambda one: votes[one])
    return language, votes[language] / sum(votes.values())


def _of(scene: int, places: Sequence[_Place], values: Sequence[Any]) -> list[tuple[Window, Any]]:
    return [(place.window, value) for place, value in zip(places, values, strict=True) if place.scene == scene]


def _transcription(
    request: TranscriptionRequest,
    texts: Sequence[tuple[Window, Decoded]],
    guesses: Sequence[tuple[Window, LanguageGuess]],
) -> Transcription:
    if not texts:
        return Transcription((), request.language, 1.0 if request.language else 0.0)
    code, probability = _scene_language([(guess, window.seconds) for window, guess in guesses])
    language = request.language or to_bcp_47(code)
    words: list[Word] = []
    dropped: list[Span] = []
    for (window, text), (_, guess) in zip(texts, guesses, strict=True):
        if text.verdict in {Verdict.LOOPING, Verdict.NOTHING_HEARD}:
            dropped += window.spans
            continue
        own, sure = guess.best
        other = to_bcp_47(own) if own != code and sure >= _SURELY_ANOTHER else None
        words += [
            replace(word, start=span.start, end=span.end, language=other)
            for word in text.words
            for span in [window.on_source(Span(word.start, word.end))]
            if not is_silent(request.clip.cut(Span(span.start - 0.1, span.end + 0.1)).samples)
        ]
    return Transcription(
        words=tuple(sorted(words, key=lambda word: (word.start, word.end))),
        language=language,
        language_probability=1.0 if request.language else probability,
        dropped=tuple(sorted(dropped)),
    )
