"""The engines of a plan, created but not loaded: cheap to ask who they are and what they offer."""

from collections.abc import Iterator
from typing import Any

from actors import registry
from actors.contracts.diarization import Diarizer
from actors.contracts.engine import Capability, EngineOptions
from actors.contracts.separation import Separator
from actors.contracts.speech import Synthesizer
from actors.contracts.speech_activity import SpeechActivityDetector
from actors.contracts.transcription import Transcriber
from actors.contracts.translation import Translator
from actors.contracts.voices import VoiceAnalyser
from cluster.placement import Plan, named
from cluster.settings import Settings
from dataflow.speakers import Speakers


def speech_activity(plan: Plan) -> SpeechActivityDetector:
    """Finds speech while a source is decoded."""
    made: SpeechActivityDetector = _create(plan, Capability.SPEECH_ACTIVITY, "open")
    return made


def separator(plan: Plan) -> Separator | None:
    """Takes voices out of what is heard; None where the plan does without."""
    if Capability.SEPARATION not in plan.engines:
        return None
    made: Separator = _create(plan, Capability.SEPARATION, "separate")
    return made


def diarizer(plan: Plan) -> Diarizer:
    """Tells speakers apart."""
    made: Diarizer = _create(plan, Capability.DIARIZATION, "diarize")
    return made


def voice_analyser(plan: Plan) -> VoiceAnalyser:
    """Tells how speakers sound."""
    made: VoiceAnalyser = _create(plan, Capability.VOICE_ANALYSIS, "diarize")
    return made


def transcriber(plan: Plan) -> Transcriber:
    """Turns speech into words."""
    made: Transcriber = _create(plan, Capability.TRANSCRIPTION, "transcribe")
    return made


def translator(plan: Plan) -> Translator:
    """Turns words into another language."""
    made: Translator = _create(plan, Capability.TRANSLATION, "translate")
    return made


def speakers(plan: Plan) -> Speakers:
    """Those who turn words into speech, the preferred one first."""
    names = named(plan.engines[Capability.SPEECH])
    return Speakers([_create_named(plan, Capability.SPEECH, name, "synthesize") for name in names])


AnyEngine = SpeechActivityDetector | Separator | Diarizer | VoiceAnalyser | Transcriber | Translator | Synthesizer


def all_of(plan: Plan, *, optional: bool = True) -> Iterator[AnyEngine]:
    """Everything that a flow needs, in the order in which a video meets it; also what only some jobs need."""
    yield speech_activity(plan)
    if optional and (found := separator(plan)) is not None:
        yield found
    for create in (diarizer, voice_analyser, transcriber, translator):
        yield create(plan)
    yield from speakers(plan).engines


def identities(plan: Plan, language: str, *, cloned: bool, separated: bool = False) -> dict[str, str]:
    """Which engines a script document names."""
    found = separator(plan) if separated else None
    return {
        **({"separation": found.info.identity} if found else {}),
        "diarization": diarizer(plan).info.identity,
        "transcription": transcriber(plan).info.identity,
        "translation": translator(plan).info.identity,
        "speech": speakers(plan).of(language, cloned=cloned).info.identity,
    }


def options_of(engine: str, settings: Settings) -> EngineOptions:
    """What the settings tell an engine, by its whole name: `transcription.whisper`."""
    return EngineOptions(models=settings.models_folder, parameters=settings.engine_parameters.get(engine, {}))


def _create(plan: Plan, capability: Any, pool: str) -> Any:
    return _create_named(plan, capability, plan.engines[capability], pool)


def _create_named(plan: Plan, capability: Any, name: str, pool: str) -> Any:
    place = plan.pool(pool)
    options = EngineOptions(
        device="cuda" if place.gpus else "cpu",
        threads=place.threads,
        gpu_share=place.gpus or 1.0,
        models=plan.models,
        parameters=plan.parameters.get(f"{capability}.{name}", {}),
    )
    return registry.create(capability, name, options)
