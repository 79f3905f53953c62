"""A source as one of a series: which of the series' people its speakers are, and what is known of them."""

from collections.abc import Mapping
from dataclasses import replace

from actors.contracts.diarization import VoiceMetric
from actors.contracts.voices import Gender, VoiceAnalyser, VoiceTraits
from actors.diarization.linking import ENOUGH_SECONDS
from actors.voices.recognition import mean_voiceprint, prepare, recognise
from cluster.ledger.library_records import Heard, Impression, LibraryVoice, Met
from cluster.ledger.records import Lease
from dataflow import engines
from dataflow.context import FlowContext, JobView
from dataflow.records import HeardScenes, Known, Script, Speaker, from_plain, to_plain

MOST_SECONDS = 600.0
"""No source, and not all that was heard before it, counts more: so a voice may change over the years."""

NOBODY = Met({})
"""Of a source that stands alone."""


class SeriesPeople:
    """Meets the people of a series again."""

    def __init__(self, context: FlowContext) -> None:
        self._ledger = context.ledger
        self._diarizer = engines.diarizer(context.plan)
        self._recogniser = _ByVoice(self._diarizer.metric, engines.voice_analyser(context.plan))

    def meet(self, lease: Lease, view: JobView, script_key: str, script: Script, scenes: HeardScenes) -> Met:
        """Tell who of a series speaks in a source; the job is told where voices cannot be recognised."""
        series = view.options.series
        if not (series and script.utterances):
            return NOBODY
        info = self._diarizer.info
        if not self._diarizer.metric.across_recordings:
            message = f"{info.name} cannot recognise voices across recordings; each source was cast by itself"
            self._ledger.warn(lease, "voices_not_recognised", message)
            return NOBODY
        prepare()  # so that no other job of the series, and on SQLite none at all, has to wait for it
        speakers = {speaker.id: _impression(speaker, scenes) for speaker in script.speakers}
        return self._ledger.meet(lease, series, Heard(script_key, info.identity, speakers), self._recogniser)


def traits_of(person: LibraryVoice) -> VoiceTraits:
    """How a person sounds over the whole series; what people say of them is beyond doubt."""
    traits = from_plain(VoiceTraits, person.impression.traits)
    return replace(traits, gender=Gender(person.gender), confidence=1.0) if person.gender else traits


def known_of(person: LibraryVoice) -> Known:
    """What results say of a person."""
    return Known(person.label, person.name, traits_of(person).gender)


class _ByVoice:
    """Recognises people by the voiceprints of one diarizer."""

    def __init__(self, metric: VoiceMetric, analyser: VoiceAnalyser) -> None:
        self._metric = metric
        self._combine = analyser.combine

    def recognise(self, heard: Mapping[str, Impression], known: Mapping[str, Impression]) -> dict[str, str]:
        """See Recogniser."""
        ids = list(known)
        found = recognise(
            [one.voiceprint for one in heard.values()], [one.voiceprint for one in known.values()], self._metric
        )
        return {speaker: ids[number] for speaker, number in zip(heard, found, strict=True) if number is not None}

    def is_enough(self, heard: Impression) -> bool:
        """See Recogniser."""
        return bool(heard.voiceprint) and heard.seconds >= ENOUGH_SECONDS

    def blend(self, known: Impression, heard: Impression) -> Impression:
        """See Recogniser."""
        parts = [(one.voiceprint, min(one.seconds, MOST_SECONDS)) for one in (known, heard)]
        traits = self._combine(tuple(from_plain(VoiceTraits, one.traits) for one in (known, heard)))
        seconds = min(MOST_SECONDS, sum(seconds for _, seconds in parts))
        return Impression(mean_voiceprint(parts), seconds, to_plain(traits))


def _impression(speaker: Speaker, scenes: HeardScenes) -> Impression:
    voices = [(index, voice.speaker) for index, (_, heard) in scenes.items() for voice in heard.voices]
    own = [voice for index, voice in voices if voice.voiceprint and (index, voice.speaker) in speaker.heard]
    parts = [(voice.voiceprint, voice.seconds) for voice in own]
    return Impression(mean_voiceprint(parts), sum(seconds for _, seconds in parts), to_plain(speaker.traits))
