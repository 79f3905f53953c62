"""The speakers' own voices: cut out of the source, kept beside its other artefacts, read where lines are spoken."""

from collections.abc import Iterator, Mapping, Sequence

from actors.contracts.audio import Clip
from actors.contracts.diarization import Turn
from cluster.blobs.contract import BlobStore
from cluster.keys import digest
from dataflow import artefacts, flac, reference
from dataflow.context import JobView
from dataflow.records import Scene, Script
from dataflow.scene_audio import load_clip

_PREFIX = "own-"


def keep(
    blobs: BlobStore, view: JobView, script: Script, scenes: Sequence[Scene], turns: Mapping[int, Sequence[Turn]]
) -> dict[str, str]:
    """Keep a reference of every speaker who is heard well enough: speaker -> name of the voice."""
    named: dict[str, str] = {}
    for speaker, places in sorted(reference.stretches(script, scenes, turns).items()):
        clip = reference.best(_heard(blobs, places, scenes))
        if clip is not None:
            sound = flac.encode(clip.samples, clip.rate)
            named[speaker] = f"{_PREFIX}{digest(sound.hex())[:16]}"
            blobs.put_bytes(artefacts.own_voice(view, named[speaker]), sound)
    return named


def reference_key(view: JobView, voice: str) -> str:
    """The blob of a voice that `keep` named; empty for a voice of the engine's own."""
    return artefacts.own_voice(view, voice) if voice.startswith(_PREFIX) else ""


def _heard(
    blobs: BlobStore, places: Sequence[reference.Stretch], scenes: Sequence[Scene]
) -> Iterator[tuple[Clip, Clip]]:
    """Each stretch and its scene, one scene in memory at a time."""
    by_index = {scene.index: scene for scene in scenes}
    for index in sorted({place.scene for place in places}):
        whole = load_clip(blobs, by_index[index])
        for place in places:
            if place.scene == index:
                yield whole.cut(place.span), whole
