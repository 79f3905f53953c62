"""Who is spoken by which voice in one language."""

from collections.abc import Mapping

from actors.contracts.speech import VoiceOffer
from actors.voices.assignment import CastSpeaker, assign_voices
from cluster.ledger.library_records import AssignedVoice, Met
from cluster.ledger.records import Lease
from dataflow import engines
from dataflow.context import FlowContext, JobView
from dataflow.own_voices import OwnVoice
from dataflow.records import Casting, Script
from dataflow.series import known_of, traits_of

_Assigned = Mapping[str, tuple[AssignedVoice, ...]]


class Caster:
    """Casts the speakers of a script, each language by itself."""

    def __init__(self, context: FlowContext) -> None:
        self._ledger = context.ledger
        self._speakers = engines.speakers(context.plan)

    def cast(
        self, lease: Lease, view: JobView, language: str, script: Script, *, met: Met, own: Mapping[str, OwnVoice]
    ) -> Casting:
        """Give every speaker a voice: that which people chose, their own, that of former sources, or one that fits."""
        engine = self._speakers.of(language, cloned=view.options.clone_voices)
        offers = engine.voices(language)
        own = own if engine.clones else {}
        voices = {speaker: voice.name for speaker, voice in own.items()}
        if met.people:
            roles = _Roles(script, met, own, offers)
            voices |= self._settled(lease, view, language, engine.info.name, roles)
        others = [CastSpeaker(one.id, one.seconds, one.traits) for one in script.speakers if one.id not in voices]
        cast = dict(assign_voices(others, offers, voices))
        few = "no voice" if all(offer.accent for offer in offers) else "too few voices"
        for accent in sorted({offer.accent for offer in offers if offer.accent and offer.id in cast.values()}):
            message = f"{engine.info.name} has {few} for {language}; lines are read with the sounds of {accent}"
            self._ledger.warn(lease, "foreign_accent", message)
        references = {voice.name: voice.key for voice in own.values() if voice.name in cast.values()}
        return Casting(cast, references, {speaker: known_of(person) for speaker, person in met.people.items()})

    def _settled(self, lease: Lease, view: JobView, language: str, engine: str, roles: "_Roles") -> dict[str, str]:
        """Speaker -> voice, of the people of the series."""
        chosen = self._ledger.cast(lease, view.options.series, language, engine, roles.choose)
        for label, voice in roles.refused:
            message = f"{engine} has no voice {voice} for {language}, chosen for {label}; another one was taken"
            self._ledger.warn(lease, "voice_not_offered", message)
        return {speaker: chosen[person] for speaker, person in roles.people.items() if person in chosen}


class _Roles:
    """The people of one source, when voices are chosen for them among all people of their series."""

    def __init__(self, script: Script, met: Met, own: Mapping[str, OwnVoice], offers: tuple[VoiceOffer, ...]) -> None:
        self.people = {speaker: person.id for speaker, person in met.people.items()}
        self.refused: list[tuple[str, str]] = []
        self._labels = {person.id: person.label for person in met.people.values()}
        self._cloned = {person.id for speaker, person in met.people.items() if speaker in own}
        self._offers = offers
        self._offered = {offer.id for offer in offers}
        seconds = {speaker.id: speaker.seconds for speaker in script.speakers}
        self._speakers = [
            CastSpeaker(person.id, seconds[speaker], traits_of(person)) for speaker, person in met.people.items()
        ]

    def choose(self, assigned: _Assigned) -> Mapping[str, str]:
        """Person -> voice: what they have, and for who has none what fits and is used least in the series.

        Who is cloned gets one of these only where people have chosen it.
        """
        self.refused = [
            (self._labels[person], one.voice)
            for person in self._labels
            for one in assigned.get(person, ())
            if one.by_hand and one.voice not in self._offered
        ]
        has = {person: voice for person in assigned if (voice := self._voice_of(person, assigned[person]))}
        wanting = [one for one in self._speakers if one.id not in has and one.id not in self._cloned]
        here = {person: voice for person, voice in has.items() if person in self._labels}
        elsewhere = [voice for person, voice in has.items() if person not in self._labels]
        return assign_voices(wanting, self._offers, here, elsewhere)

    def _voice_of(self, person: str, assigned: tuple[AssignedVoice, ...]) -> str:
        wanted = [one for one in assigned if one.by_hand or person not in self._cloned]
        return next((one.voice for one in wanted if one.voice in self._offered), "")
