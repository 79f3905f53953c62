"""The machine translation that takes over where a language model fails."""

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock

from actors import registry
from actors.contracts.engine import Capability, ConcurrentEngine, EngineError, EngineOptions
from actors.contracts.translation import BatchTranslator, Translation, TranslationRequest

NONE = "none"


class Fallback:
    """Another engine, created and loaded when it is first needed.

    Args:
        name: Of the engine, or `none`.
        options: It runs on the processor: the GPU's memory belongs to the language model.
    """

    def __init__(self, name: str, options: EngineOptions) -> None:
        self._name = name
        self._options = replace(options, device="cpu", parameters={}, model="")
        self._engine: BatchTranslator | None = None
        self._lock = Lock()

    def __call__(self, request: TranslationRequest) -> Sequence[str | None]:
        """One text a line of a request; None where there is none."""
        if self._name == NONE:
            return [None] * len(request.lines)
        with self._lock:  # an engine is used by one thread at a time
            try:
                outcomes = self._loaded().run([replace(request, lines=(line,)) for line in request.lines])
            except EngineError:  # not installed here: these lines keep their original sound
                return [None] * len(request.lines)
        return [outcome.lines[0].text if isinstance(outcome, Translation) else None for outcome in outcomes]

    def close(self) -> None:
        """Close the engine, if it was needed."""
        with self._lock:
            if self._engine is not None:
                self._engine.close()
            self._engine = None

    def _loaded(self) -> BatchTranslator:
        if self._engine is None:
            engine = registry.create(Capability.TRANSLATION, self._name, self._options)
            if isinstance(engine, ConcurrentEngine):
                raise EngineError(f"translation.{self._name} is no engine to fall back on", code="invalid_request")
            engine.check()
            engine.load()
            self._engine = engine
        return self._engine
