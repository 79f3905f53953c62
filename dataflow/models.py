"""The weights of engines: which there are, how they stand, and how they get here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from actors import registry
from actors.contracts.engine import Capability, EngineError, EngineInfo
from actors.contracts.models import ModelSpec
from cluster.errors import DubflowError, ErrorCode
from cluster.models.store import ModelState, ModelStore
from cluster.settings import Settings
from dataflow.engines import options_of


@dataclass(frozen=True, slots=True)
class Weights:
    """One model that one engine needs."""

    engine: str
    spec: ModelSpec
    state: ModelState


def model_store(settings: Settings) -> ModelStore:
    """The weights of this node."""
    return ModelStore(
        settings.models_folder,
        sources=settings.model_sources,
        allow_noncommercial=settings.allow_noncommercial,
        s3_endpoint_url=settings.s3_endpoint_url,
    )


def known_engines(settings: Settings) -> Iterator[EngineInfo]:
    """All installed engines that can be created with these settings."""
    for capability in Capability:
        for name in registry.names(capability):
            try:
                yield _info(capability, name, settings)
            except EngineError:
                continue  # a plug-in of somebody that cannot be imported here is doctor's business


def named_engine(name: str, settings: Settings) -> EngineInfo:
    """An engine by its whole name, `transcription.whisper`.

    Raises:
        DubflowError: `invalid_request`, or what the engine says of its parameters.
    """
    capability, _, short = name.partition(".")
    if capability not in set(Capability) or not short:
        raise DubflowError(
            ErrorCode.INVALID_REQUEST, f"'{name}' is no engine; write capability.name, as in transcription.whisper"
        )
    try:
        return _info(Capability(capability), short, settings)
    except EngineError as error:
        raise DubflowError(ErrorCode.INVALID_REQUEST, str(error)) from error


def weights(engines: Sequence[EngineInfo], settings: Settings, *, thorough: bool = False) -> Iterator[Weights]:
    """What some engines need and how it stands; thoroughly reads every byte."""
    store = model_store(settings)
    for engine in engines:
        for spec in engine.needs:
            yield Weights(f"{engine.capability}.{engine.name}", spec, store.state(spec, thorough=thorough))


def provide(engine: EngineInfo, settings: Settings) -> None:
    """Make sure that an engine may use its weights on this node, and fetch them where the settings want that.

    Raises:
        DubflowError: `licence_refused`, or why they cannot be fetched.
    """
    store = model_store(settings)
    for spec in engine.needs:
        if settings.fetch_models:
            store.fetch(spec)
        else:
            store.require_licence(spec)


def _info(capability: Capability, name: str, settings: Settings) -> EngineInfo:
    engine = registry.create(capability, name, options_of(f"{capability}.{name}", settings))  # type: ignore[call-overload]
    info: EngineInfo = engine.info
    return info
