"""Engines are found through Python entry points, so that a company adds its own without touching this project.

A distribution offers an engine as `capability.name = package.module:EngineClass` in the group `dubflow.engines`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, overload

from actors.contracts.diarization import Diarizer
from actors.contracts.engine import Capability, EngineError, EngineOptions
from actors.contracts.separation import Separator
from actors.contracts.speech import Synthesizer
from actors.contracts.speech_activity import SpeechActivityDetector
from actors.contracts.transcription import Transcriber
from actors.contracts.translation import Translator
from actors.contracts.voices import VoiceAnalyser

GROUP = "dubflow.engines"


def names(capability: Capability) -> tuple[str, ...]:
    """The engines that are installed for a capability, sorted; an offered engine may still fail its own `check`."""
    return tuple(sorted(_offers(capability)))


def require(capability: Capability, name: str) -> None:
    """Make sure that one installed distribution offers an engine.

    Raises:
        EngineError: `invalid_request`, with what there is instead.
    """
    _only_offer(capability, name)


@overload
def create(
    capability: Literal[Capability.SPEECH_ACTIVITY], name: str, options: EngineOptions
) -> SpeechActivityDetector: ...
@overload
def create(capability: Literal[Capability.SEPARATION], name: str, options: EngineOptions) -> Separator: ...
@overload
def create(capability: Literal[Capability.DIARIZATION], name: str, options: EngineOptions) -> Diarizer: ...
@overload
def create(capability: Literal[Capability.TRANSCRIPTION], name: str, options: EngineOptions) -> Transcriber: ...
@overload
def create(capability: Literal[Capability.TRANSLATION], name: str, options: EngineOptions) -> Translator: ...
@overload
def create(capability: Literal[Capability.SPEECH], name: str, options: EngineOptions) -> Synthesizer: ...
@overload
def create(capability: Literal[Capability.VOICE_ANALYSIS], name: str, options: EngineOptions) -> VoiceAnalyser: ...
def create(capability: Capability, name: str, options: EngineOptions) -> Any:
    """Make an engine that is not loaded yet.

    Raises:
        EngineError: `invalid_request` where no installed distribution offers the name, or several do; `model_missing`
            where the engine's own imports are not installed; `model_load_failed` where it cannot be created.
    """
    engine_class = _import(capability, name, _only_offer(capability, name))
    try:
        return engine_class(options)
    except EngineError:
        raise
    except Exception as error:  # A plug-in may raise anything; whoever asked gets one kind of error.
        raise EngineError(
            f"engine {capability}.{name} could not be created: {_describe(error)}", code="model_load_failed"
        ) from error


def _offers(capability: Capability) -> Mapping[str, Sequence[EntryPoint]]:
    offers: dict[str, list[EntryPoint]] = defaultdict(list)
    for offer in entry_points(group=GROUP):
        prefix, _, name = offer.name.partition(".")
        if prefix == capability and name:
            offers[name].append(offer)
    return offers


def _only_offer(capability: Capability, name: str) -> EntryPoint:
    offers = _offers(capability)
    if name not in offers:
        known = ", ".join(sorted(offers)) or "none"
        raise EngineError(
            f"there is no {capability} engine '{name}'; installed are: {known}. Choose one of them or install the "
            f"package that offers '{capability}.{name}'",
            code="invalid_request",
        )
    if len({offer.value for offer in offers[name]}) > 1:
        owners = ", ".join(sorted(_distribution(offer) for offer in offers[name]))
        raise EngineError(
            f"engine {capability}.{name} is offered by several packages ({owners}); uninstall all but one",
            code="invalid_request",
        )
    return offers[name][0]


def _import(capability: Capability, name: str, offer: EntryPoint) -> Any:
    try:
        return offer.load()
    except Exception as error:  # Importing a plug-in may raise anything; the others must stay usable.
        missing = isinstance(error, ModuleNotFoundError)
        raise EngineError(
            f"engine {capability}.{name} of package '{_distribution(offer)}' could not be imported "
            f"({_describe(error)}); reinstall or remove that package",
            code="model_missing" if missing else "model_load_failed",
        ) from error


def _distribution(offer: EntryPoint) -> str:
    return offer.dist.name if offer.dist else "unknown"


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
