from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from actors.contracts.models import ModelSpec


class Capability(StrEnum):
    """What an engine can do; the first half of its entry-point name (`transcription.pocketsphinx`)."""

    SPEECH_ACTIVITY = "speech_activity"
    SEPARATION = "separation"
    DIARIZATION = "diarization"
    TRANSCRIPTION = "transcription"
    TRANSLATION = "translation"
    SPEECH = "speech"
    VOICE_ANALYSIS = "voice_analysis"


class EngineError(Exception):
    """One request that an engine could not serve, or an engine that cannot work here.

    Args:
        message: One line for a person: what happened and what to do.
        code: A stable code of docs/errors.md (`engine_failed`, `model_missing`, `unsupported_language`, ...).
        retryable: True where the same request may succeed later on.
    """

    def __init__(self, message: str, *, code: str = "engine_failed", retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling between Ray processes.
        return _rebuild_engine_error, (str(self), self.code, self.retryable)


def _rebuild_engine_error(message: str, code: str, retryable: bool) -> EngineError:
    return EngineError(message, code=code, retryable=retryable)


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Who an engine is: shown to people, and hashed into the key of everything that it makes.

    Attributes:
        name: The engine's name within its capability.
        capability: What it does.
        version: Changes whenever the same request would give another result.
        model: The weights or voice data that it runs, with revision where it has one.
        licence: SPDX expression that covers code and weights.
        commercial_use: False where the licence forbids paid use.
        needs: What has to be fetched before `load`; empty where the packages bring everything.
    """

    name: str
    capability: Capability
    version: str
    model: str
    licence: str
    commercial_use: bool = True
    needs: tuple[ModelSpec, ...] = ()

    @property
    def identity(self) -> str:
        """The part that decides results: `pocketsphinx/5.1.1/en-us`."""
        return f"{self.name}/{self.version}/{self.model}"


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What a pool tells each engine it creates.

    Attributes:
        device: `cpu` or `cuda`.
        threads: How many CPU threads the engine may keep busy.
        gpu_share: Of the memory of a GPU, how much the engine may fill.
        model: Another model than the engine's default, or empty.
        models: The folder that holds the files of every `ModelSpec`, each in its own `folder(models)`.
        parameters: What the engine lets people choose, as text: `{"url": "http://127.0.0.1:8080/v1"}`. What changes
            results belongs into `EngineInfo.model` or `version`.
    """

    device: str = "cpu"
    threads: int = 1
    gpu_share: float = 1.0
    model: str = ""
    models: Path = Path("models")
    parameters: Mapping[str, str] = field(default_factory=dict)

    def number(self, name: str, usual: float) -> float:
        """A parameter that is a number.

        Raises:
            EngineError: `invalid_request` where it is something else.
        """
        text = self.parameters.get(name, "")
        try:
            return float(text) if text else usual
        except ValueError as error:
            raise EngineError(
                f"the engine's parameter '{name}' is '{text}'; give it a number", code="invalid_request"
            ) from error


Request_contra = TypeVar("Request_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)


class Loadable(Protocol):
    """What all engines have in common; one is created as `EngineClass(options)`: cheap, and without heavy imports.

    Life: `check` may be called any time, `load` once before the first request, `close` once at the end.
    """

    @property
    def info(self) -> EngineInfo:
        """Who the engine is; callable before `load`."""
        ...

    def check(self) -> None:
        """Tell without loading whether the engine could work here.

        Raises:
            EngineError: `model_missing` (with the command that fixes it) or `model_load_failed`.
        """
        ...

    def load(self) -> None:
        """Import the library and load the weights.

        Raises:
            EngineError: `model_missing` or `model_load_failed`.
        """
        ...


class Engine(Loadable, Protocol[Request_contra, Result_co]):
    """One implementation of a capability that is given batches. `run` is called by one thread at a time."""

    def run(self, batch: Sequence[Request_contra]) -> Sequence[Result_co | EngineError]:
        """Serve a batch; one outcome a request, in order. A bad request gives its own error, never its neighbours'."""
        ...

    def close(self) -> None:
        """Free processes, memory and devices."""
        ...


@runtime_checkable
class ConcurrentEngine(Loadable, Protocol[Request_contra, Result_co]):
    """One that answers many requests at the same time and takes the next one whenever one is answered.

    Such are servers, and engines that make up their batches anew at every step: in batches of ours they would idle
    until the slowest answer of each is there. `answer` and `close` are called in one event loop.
    """

    @property
    def at_once(self) -> int:
        """How many requests it has in hand at most."""
        ...

    async def answer(self, request: Request_contra) -> Result_co:
        """Serve a request, beside others. Cancelling it withdraws all that was begun for it.

        Raises:
            EngineError: What is wrong with this request, or with the engine.
        """
        ...

    async def close(self) -> None:
        """Free processes, memory, devices and connections."""
        ...
