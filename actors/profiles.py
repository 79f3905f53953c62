"""A profile is a named choice of engines."""

from collections.abc import Mapping
from types import MappingProxyType

from actors.contracts.engine import Capability, EngineError

_LITE = {
    Capability.SPEECH_ACTIVITY: "silero",
    Capability.DIARIZATION: "acoustic",
    Capability.TRANSCRIPTION: "pocketsphinx",
    Capability.TRANSLATION: "apertium",
    Capability.SPEECH: "espeak",
    Capability.VOICE_ANALYSIS: "pitch",
}

_CPU = _LITE | {
    Capability.SEPARATION: "demucs",
    Capability.DIARIZATION: "wespeaker",
    Capability.TRANSCRIPTION: "whisper",
    Capability.TRANSLATION: "ctranslate2",
    Capability.SPEECH: "kokoro,espeak",
}

_GPU = _CPU | {
    Capability.DIARIZATION: "pyannote",
    Capability.TRANSLATION: "vllm",
    Capability.SPEECH: "voxcpm",
}

_WHERE_NOBODY_EARNS = {"gpu": {Capability.SPEECH: "xtts"}}
"""Better engines whose weights forbid paid use."""

PROFILES: Mapping[str, Mapping[Capability, str]] = MappingProxyType(
    {"lite": MappingProxyType(_LITE), "cpu": MappingProxyType(_CPU), "gpu": MappingProxyType(_GPU)}
)
"""Profile -> engine name of each capability. What is not optional is named by every profile, so that nothing is chosen
by accident.

Of speech several may be named, the preferred one first: of each language the first speaks that can.
"""

OPTIONAL = frozenset({Capability.SEPARATION})
"""What a flow can do without: it is left out where a profile names none, or where `none` is chosen."""
NONE = "none"


def choose(
    profile: str, overrides: Mapping[str, str] | None = None, *, noncommercial: bool = False
) -> Mapping[Capability, str]:
    """The engine names of a profile, some of them replaced: `choose("lite", {"speech": "piper"})`.

    Args:
        profile: One of `PROFILES`.
        overrides: Engine by capability; `none` leaves an optional one out.
        noncommercial: Nobody dubs for money, so that weights which forbid it may be chosen.

    Raises:
        EngineError: `invalid_request` for a profile or capability that does not exist.
    """
    if profile not in PROFILES:
        raise EngineError(
            f"there is no profile '{profile}'; choose one of: {', '.join(PROFILES)}", code="invalid_request"
        )
    replaced = {_capability(name): engine for name, engine in (overrides or {}).items()}
    freer = _WHERE_NOBODY_EARNS.get(profile, {}) if noncommercial else {}
    chosen = {**PROFILES[profile], **freer, **replaced}
    return {one: engine for one, engine in chosen.items() if engine != NONE or one not in OPTIONAL}


def _capability(name: str) -> Capability:
    try:
        return Capability(name)
    except ValueError as error:
        raise EngineError(
            f"there is no capability '{name}'; an engine can be chosen for: {', '.join(Capability)}",
            code="invalid_request",
        ) from error
