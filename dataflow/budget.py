"""How many characters a line may have to fit its time: from how fast its voice was heard to speak."""

from collections import defaultdict
from collections.abc import Iterable

import langcodes

from dataflow.records import Casting, Script, Take, Timeline
from dataflow.timing import FREE_RATE, Line, windows

CHARACTERS_PER_SECOND = {"Hans": 5.0, "Hant": 5.0, "Jpan": 8.0, "Kore": 7.0}
"""Of writing systems whose characters hold more than a letter, before anything was spoken."""
LETTERS_PER_SECOND = 15.0
"""Of all others: about 175 words a minute, at which people read aloud."""


def budgets(script: Script, timeline: Timeline, casting: Casting, language: str) -> dict[str, int]:
    """Characters that fit each line's slot and the silence after it, at a rate nobody notices.

    The silence before a line is left to the line before: both may use up their budgets.

    Args:
        script: The utterances.
        timeline: What was spoken so far tells the voices' rates; nothing need have been.
        casting: Who speaks for whom.
        language: Of the dub, BCP-47.

    Returns:
        By utterance id.
    """
    takes = [placed.take for placed in timeline.takes]
    usual = _rate(takes) or usual_rate(language)
    by_voice: dict[str, list[Take]] = defaultdict(list)
    for take in takes:
        by_voice[take.voice].append(take)
    heard = {voice: _rate(own) for voice, own in by_voice.items()}
    rates = {speaker: heard.get(voice) or usual for speaker, voice in casting.voices.items()}
    slots = [Line(utterance.speaker, utterance.span, 0.0) for utterance in script.utterances]
    return {
        utterance.id: int((window.end - utterance.start) * FREE_RATE * rates.get(utterance.speaker, usual))
        for utterance, window in zip(script.utterances, windows(slots, script.seconds), strict=True)
    }


def expected(script: Script, language: str) -> dict[str, int]:
    """The same before anything was spoken, by utterance id: at the rate that can be expected of any voice."""
    slots = [Line(utterance.speaker, utterance.span, 0.0) for utterance in script.utterances]
    return {
        utterance.id: int((window.end - utterance.start) * FREE_RATE * usual_rate(language))
        for utterance, window in zip(script.utterances, windows(slots, script.seconds), strict=True)
    }


def usual_rate(language: str) -> float:
    """Characters a second that can be expected of any voice of a language."""
    return CHARACTERS_PER_SECOND.get(langcodes.Language.get(language).maximize().script or "", LETTERS_PER_SECOND)


def _rate(takes: Iterable[Take]) -> float:
    """Characters a second at the natural rate; 0 where nothing was heard."""
    seconds = characters = 0.0
    for take in takes:
        seconds += take.natural_seconds
        characters += len(take.text)
    return characters / seconds if seconds else 0.0
