"""The speakers' own voices: cut out of the source, kept beside its other artefacts or with the people of its series."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from actors.contracts.audio import Clip
from cluster import layout
from cluster.blobs.contract import BlobStore
from cluster.keys import digest
from cluster.ledger.library_records import LibraryVoice, Met
from cluster.ledger.records import Lease
from dataflow import artefacts, engines, flac, reference
from dataflow.context import FlowContext, JobView
from dataflow.records import HeardScenes, Script
from dataflow.scene_audio import load_clip


@dataclass(frozen=True, slots=True)
class OwnVoice:
    """A cloned voice: its name, a digest of how it sounds, and the blob that holds the sound."""

    name: str
    key: str


class OwnVoices:
    """Finds what the speakers of a source are cloned from, where a job wants that and its speech engine can."""

    def __init__(self, context: FlowContext) -> None:
        self._ledger, self._blobs = context.ledger, context.blobs
        self._speakers = engines.speakers(context.plan)

    def of(
        self,
        lease: Lease,
        view: JobView,
        script: Script,
        scenes: HeardScenes,
        *,
        met: Met,
        languages: Sequence[str],
    ) -> dict[str, OwnVoice]:
        """Speaker -> own voice; the job is told whose could not be kept.

        Whoever is a person of the series is spoken with the one sound that it has of them, or gives it one. Whom the
        job knew as a person that was forgotten since is not cloned.
        """
        if not (view.options.clone_voices and script.utterances):
            return {}
        if view.job.request.consent is None:
            message = "nobody has stated that the speakers agree to be cloned; others were chosen"
            self._ledger.warn(lease, "voice_not_cloned", message)
            return {}
        if not self._can(lease, languages):
            return {}
        own = {
            speaker: OwnVoice(kept, _key_of(person, kept))
            for speaker, person in met.people.items()
            if person.reference and (kept := self._ledger.clone(lease, person.id))
        }
        speakers = {utterance.speaker for utterance in script.utterances}
        for speaker, sound in _cut(self._blobs, script, speakers - set(own) - met.forgotten, scenes):
            person = met.people.get(speaker)
            voice = self._keep(view, sound) if person is None else self._give(lease, person, sound)
            if voice is not None:
                own[speaker] = voice
        self._tell(lease, speakers - set(own) - met.forgotten, "too little of {} is heard alone to clone their voices")
        self._tell(lease, speakers & met.forgotten, "the series was told to forget {}")
        return own

    def _can(self, lease: Lease, languages: Sequence[str]) -> bool:
        """Whether an engine clones in any of these languages; the job is told of those where none does."""
        speaking = {language: self._speakers.of(language, cloned=True) for language in languages}
        for language, engine in speaking.items():
            if not engine.clones:
                message = f"{engine.info.name} cannot clone voices; others were chosen for {language}"
                self._ledger.warn(lease, "voice_not_cloned", message)
        return any(engine.clones for engine in speaking.values())

    def _tell(self, lease: Lease, speakers: set[str] | frozenset[str], why: str) -> None:
        if speakers:
            message = f"{why.format(', '.join(sorted(speakers)))}; others were chosen"
            self._ledger.warn(lease, "voice_not_cloned", message)

    def _keep(self, view: JobView, sound: bytes) -> OwnVoice:
        name = _name_of(sound)
        voice = OwnVoice(name, artefacts.own_voice(view, name))
        self._blobs.put_bytes(voice.key, sound)
        return voice

    def _give(self, lease: Lease, person: LibraryVoice, sound: bytes) -> OwnVoice | None:
        """Offer a sound to a person of the series who has none; another job may have been quicker."""
        name = _name_of(sound)
        self._blobs.put_bytes(_key_of(person, name), sound)
        kept = self._ledger.clone(lease, person.id, name)
        if kept != name:
            self._blobs.delete(_key_of(person, name))
        return OwnVoice(kept, _key_of(person, kept)) if kept else None


def _cut(
    blobs: BlobStore, script: Script, speakers: set[str] | frozenset[str], scenes: HeardScenes
) -> Iterator[tuple[str, bytes]]:
    """The reference of each of these speakers who is heard well enough, as FLAC."""
    if not speakers:
        return
    places = reference.stretches(
        script, [scene for scene, _ in scenes.values()], {index: heard.turns for index, (_, heard) in scenes.items()}
    )
    for speaker in sorted(speakers & set(places)):
        clip = reference.best(_heard(blobs, places[speaker], scenes))
        if clip is not None:
            yield speaker, flac.encode(clip.samples, clip.rate)


def _heard(blobs: BlobStore, places: Sequence[reference.Stretch], scenes: HeardScenes) -> Iterator[tuple[Clip, Clip]]:
    """Each stretch and its scene, one scene in memory at a time."""
    for index in sorted({place.scene for place in places}):
        whole = load_clip(blobs, scenes[index][0])
        for place in places:
            if place.scene == index:
                yield whole.cut(place.span), whole


def _name_of(sound: bytes) -> str:
    return f"own-{digest(sound.hex())[:16]}"


def _key_of(person: LibraryVoice, name: str) -> str:
    return f"{layout.voice(person.tenant, person.id)}/{name}.flac"
