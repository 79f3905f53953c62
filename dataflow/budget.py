"""How many characters a line may have to fit its time: from how fast its voice was heard to speak."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from dataflow.paces import usual_rate
from dataflow.records import Casting, Script, Take, Timeline
from dataflow.timing import FREE_RATE, Line, windows


def budgets(
    script: Script, timeline: Timeline, casting: Casting, language: str, paces: Mapping[str, float] | None = None
) -> dict[str, int]:
    """Characters that fit each line's slot and the silence after it, at a rate nobody notices.

    The silence before a line is left to the line before: both may use up their budgets.

    Args:
        script: The utterances.
        timeline: What was spoken so far tells the voices' rates; nothing need have been.
        casting: Who speaks for whom.
        language: Of the dub, BCP-47.
        paces: What was expected of each speaker's voice, for those that were not heard.

    Returns:
        By utterance id.
    """
    takes = [placed.take for placed in timeline.takes]
    usual = _rate(takes) or usual_rate(language)
    by_voice: dict[str, list[Take]] = defaultdict(list)
    for take in takes:
        by_voice[take.voice].append(take)
    heard = {voice: _rate(own) for voice, own in by_voice.items()}
    unheard = {} if takes else (paces or {})
    rates = {speaker: heard.get(voice) or unheard.get(speaker, usual) for speaker, voice in casting.voices.items()}
    slots = [Line(utterance.speaker, utterance.span, 0.0) for utterance in script.utterances]
    return {
        utterance.id: int((window.end - utterance.start) * FREE_RATE * rates.get(utterance.speaker, usual))
        for utterance, window in zip(script.utterances, windows(slots, script.seconds), strict=True)
    }


def expected(script: Script, language: str, paces: Mapping[str, float]) -> dict[str, int]:
    """The same before anything was spoken, by utterance id.

    Args:
        script: The utterances.
        language: Of the dub, BCP-47.
        paces: Characters a second that can be expected of each speaker's voice; as of any voice where there is none.
    """
    usual = usual_rate(language)
    slots = [Line(utterance.speaker, utterance.span, 0.0) for utterance in script.utterances]
    return {
        utterance.id: int((window.end - utterance.start) * FREE_RATE * paces.get(utterance.speaker, usual))
        for utterance, window in zip(script.utterances, windows(slots, script.seconds), strict=True)
    }


def _rate(takes: Iterable[Take]) -> float:
    """Characters a second at the natural rate; 0 where nothing was heard."""
    seconds = characters = 0.0
    for take in takes:
        seconds += take.natural_seconds
        characters += len(take.text)
    return characters / seconds if seconds else 0.0
