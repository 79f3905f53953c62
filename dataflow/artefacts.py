"""Names of what the stages make: a digest of everything that decides it, so what exists need not be made again.

Artefacts live under `artefacts/<tenant>/<source>/<kind>/`: tenants never share, not even knowledge of what exists,
and what was made of a source can be removed with it.
"""

from pydantic_core import to_jsonable_python

from actors.contracts.engine import EngineInfo
from cluster import layout
from cluster.keys import digest
from dataflow.context import JobView
from dataflow.records import Casting, Scene

FORMAT = 1
"""Part of every key; raised when an artefact's own format changes."""
_SCRIPT_FORMAT = 2
"""Of scripts alone: to join the scenes again costs next to nothing."""


def _key(view: JobView, kind: str, suffix: str, *parts: object) -> str:
    name = digest(FORMAT, kind, to_jsonable_python(parts))
    request = view.job.request
    folder = layout.artefacts(view.tenant, request.source_uri, request.source_version)
    return f"{folder}/{kind}/{name[:2]}/{name}.{suffix}"


def scene_list(view: JobView, speech_activity: EngineInfo, max_seconds: float) -> str:
    """The scenes of a source."""
    request, options = view.job.request, view.options
    cut = (speech_activity.identity, max_seconds, options.start, options.end)
    return _key(view, "scenes", "json", request.source_uri, request.source_version, cut)


def scene_audio(view: JobView, audio_digest: str) -> str:
    """The audio of one scene."""
    return _key(view, "audio", "flac", audio_digest)


def scene_sound(view: JobView, scene: Scene, rate: int) -> str:
    """All that is heard in one scene, at full quality, until its voices have been taken away."""
    return _key(view, "sound", "flac", scene.audio_digest, scene.span, rate)


def scene_background(view: JobView, scene: Scene, separator: EngineInfo) -> str:
    """One scene without its voices."""
    return _key(view, "background", "flac", scene.audio_digest, scene.span, separator.identity)


def scene_voices(view: JobView, scene: Scene, diarizer: EngineInfo, analyser: EngineInfo) -> str:
    """Who speaks when in one scene."""
    people = (view.options.min_speakers, view.options.max_speakers)
    return _key(view, "voices", "json", _scene(scene), people, diarizer.identity, analyser.identity)


def scene_words(view: JobView, scene: Scene, transcriber: EngineInfo) -> str:
    """What is said in one scene."""
    terms = [source for source, _ in view.options.glossary]
    return _key(view, "words", "json", _scene(scene), view.job.request.source_language, terms, transcriber.identity)


def script(view: JobView, scenes: list[tuple[str, str]]) -> str:
    """The script of a source, made from the (voices, words) artefacts of its scenes."""
    source = (view.job.request.source_uri, view.job.request.source_version)
    return _key(view, "script", "json", scenes, *source, _SCRIPT_FORMAT)


def casting(view: JobView, script_key: str, language: str, speech: EngineInfo, cast: Casting) -> str:
    """Which voice speaks for whom in one language; named by its content, since what a series knows decides it too."""
    return _key(view, "casting", "json", script_key, language, speech.identity, cast)


def paces(view: JobView, script_key: str, language: str, casting: Casting) -> str:
    """How fast the voices of a casting are expected to speak: what was known when they were cast first."""
    return _key(view, "paces", "json", script_key, language, casting.voices)


def own_voice(view: JobView, voice: str) -> str:
    """How a speaker of the source sounds; `voice` is a digest of the sound."""
    return _key(view, "voice", "flac", voice)


def passage_lines(view: JobView, request: object, translator: EngineInfo) -> str:
    """The translations of one passage."""
    return _key(view, "lines", "json", request, translator.identity)


def take(view: JobView, order: object, speech: EngineInfo) -> str:
    """What is known of one spoken line: its text, voice, slot and window decide it."""
    return _key(view, "take", "json", order, speech.identity)


def spoken(view: JobView, request: object, speech: EngineInfo) -> str:
    """The audio of one spoken line."""
    return _key(view, "spoken", "flac", request, speech.identity)


def passage_takes(view: JobView, orders: object, speech: EngineInfo) -> str:
    """The takes of one passage."""
    return _key(view, "takes", "json", orders, speech.identity)


def timeline(
    view: JobView, script_key: str, takes: list[str], edited: list[str], backgrounds: dict[int, str] | None
) -> str:
    """The plan of one language's track; `backgrounds` by scene, None where none were wanted."""
    background = (view.options.keep_background, sorted(backgrounds.items()) if backgrounds is not None else None)
    return _key(view, "timeline", "json", script_key, takes, edited, background)


def document(view: JobView, language: str, fence: int) -> str:
    """The script as a document: the job's own, since it holds people's words and goes when the job does."""
    return f"{layout.documents(view.tenant, view.job.id)}/{language}.{fence}.json"


def _scene(scene: Scene) -> tuple[object, ...]:
    speech = [(round(span.start - scene.span.start, 3), round(span.end - scene.span.start, 3)) for span in scene.speech]
    return (scene.audio_digest, round(scene.span.start, 3), speech)
