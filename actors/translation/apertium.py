"""Apertium: rule-based translation by the pairs that the operating system's packages install."""

import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.translation import Line, TranslatedLine, Translation, TranslationRequest
from actors.languages import lookup, primary
from actors.translation import apertium_text
from actors.translation.apertium_modes import DEBIAN_MODES, Mode, fingerprint, installed_modes
from actors.translation.apertium_pipeline import Pipeline, PipelineError
from actors.translation.orthography import tidy

_DEBIAN_PACKAGES = {
    ("en", "ca"): "apertium-eng-cat",
    ("en", "es"): "apertium-eng-spa",
    ("en", "gl"): "apertium-en-gl",
}
"""Debian's pairs that start from English."""

_TIMEOUT_SECONDS = 30.0
"""A line takes milliseconds; 5,000 characters take less than one second."""

UNKNOWN_WORDS = "unknown_words"
"""Flag of a line with words that Apertium left as they were."""

FALLBACK = "translation_fallback"
"""Flag of a line that could not be translated and keeps its source text."""


class Apertium:
    """One chain of long-lived processes per language pair, started at its first use.

    `EngineOptions.model` may name another folder of `.mode` files than the system's.
    """

    def __init__(self, options: EngineOptions) -> None:
        self._folder = Path(options.model) if options.model else DEBIAN_MODES
        self._pipelines: dict[tuple[str, str], Pipeline] = {}

    @property
    def info(self) -> EngineInfo:
        """Who the engine is; the model's name changes with the installed data."""
        return EngineInfo(
            name="apertium",
            capability=Capability.TRANSLATION,
            version="1",
            model=fingerprint(self._modes),
            licence="GPL-2.0-or-later AND GPL-3.0-or-later",
        )

    def check(self) -> None:
        """Tell whether Apertium and at least one pair are installed.

        Raises:
            EngineError: `model_missing`.
        """
        if not self._modes:
            what = "has no language pairs" if shutil.which("lt-proc") else "is not installed"
            raise EngineError(
                f"Apertium {what} (looked in {self._folder}); run: apt-get install --yes apertium "
                f"{' '.join(sorted(_DEBIAN_PACKAGES.values()))}",
                code="model_missing",
            )

    def load(self) -> None:
        """Nothing is loaded ahead: a chain starts within 0.1 s when its pair is asked for.

        Raises:
            EngineError: `model_missing`.
        """
        self.check()

    def pairs(self) -> frozenset[tuple[str, str]]:
        """The installed (source, target) pairs, BCP-47."""
        return frozenset(self._modes)

    def run(self, batch: Sequence[TranslationRequest]) -> Sequence[Translation | EngineError]:
        """Translate passages, one utterance at a time."""
        return [self._serve(request) for request in batch]

    def close(self) -> None:
        """End all processes."""
        while self._pipelines:
            _, pipeline = self._pipelines.popitem()
            pipeline.close()

    @cached_property
    def _modes(self) -> Mapping[tuple[str, str], Mode]:
        return installed_modes(self._folder)

    def _serve(self, request: TranslationRequest) -> Translation | EngineError:
        try:
            mode = self._mode(request.source_language, request.target_language)
            return Translation(tuple(self._translate(mode, line, request) for line in request.lines))
        except EngineError as error:
            return error

    def _mode(self, source: str, target: str) -> Mode:
        spoken = lookup(source, {s for s, _ in self._modes})
        written = lookup(target, {t for s, t in self._modes if s == spoken})
        if spoken is None or written is None:
            raise _unsupported(source, target, self._modes)
        return self._modes[spoken, written]

    def _translate(self, mode: Mode, line: Line, request: TranslationRequest) -> TranslatedLine:
        terms = [source for source, _ in request.glossary]
        try:
            answer = self._exchange(mode, apertium_text.message(line.text, terms))
        except PipelineError:
            return TranslatedLine(line.id, line.text, flags=(FALLBACK,))
        outcome = apertium_text.outcome(answer, [target for _, target in request.glossary])
        text = tidy(outcome.text, line.text, request.target_language)
        return TranslatedLine(line.id, text, flags=(UNKNOWN_WORDS,) if outcome.unknown else ())

    def _exchange(self, mode: Mode, message: str) -> str:
        try:
            return self._exchange_once(mode, message)
        except PipelineError:  # The chain may have died since the last line; a second one is fresh.
            return self._exchange_once(mode, message)

    def _exchange_once(self, mode: Mode, message: str) -> str:
        pair = (mode.source, mode.target)
        pipeline = self._pipelines.pop(pair, None) or self._start(mode)
        answer = pipeline.exchange(message)
        self._pipelines[pair] = pipeline
        return answer

    def _start(self, mode: Mode) -> Pipeline:
        try:
            return Pipeline(mode.stages, timeout=_TIMEOUT_SECONDS)
        except OSError as error:
            raise EngineError(
                f"Apertium's programs for {mode.source} to {mode.target} could not be started: {error}",
                retryable=True,
            ) from error


def _unsupported(source: str, target: str, modes: Mapping[tuple[str, str], Mode]) -> EngineError:
    available = ", ".join(sorted(f"{s} to {t}" for s, t in modes)) or "none"
    package = _DEBIAN_PACKAGES.get((primary(source), primary(target)))
    advice = f"run: apt-get install --yes {package}" if package else "choose one of these or another translation engine"
    return EngineError(
        f"Apertium cannot translate {source} to {target}; installed pairs: {available}; {advice}",
        code="unsupported_language",
    )
