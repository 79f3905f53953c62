"""Which stretches of a source let a speaker's voice be heard best, for engines that speak with it.

A stretch counts where its speaker alone is heard. Of two stretches the better one stands out more from the scene's
noise or is longer: doubled length is worth as much as 3 dB.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from actors.contracts.audio import Clip, Samples, Span
from actors.contracts.diarization import Turn
from dataflow.records import Scene, Script, Utterance

ENOUGH_SECONDS = 12.0
"""No engine learns more of a voice from more."""
LEAST_SECONDS = 3.0
"""With less, a voice is better cast than cloned."""
_SHORTEST_SECONDS = 1.0
_CANDIDATES = 12
"""The longest stretches of a speaker, whose sound is looked at."""
_MARGIN_SECONDS = 0.05
_PAUSE_SECONDS = 0.1
_FRAME_SECONDS = 0.03
_QUIET_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Stretch:
    """Speech of one speaker alone: where it is, in the scene of that index."""

    scene: int
    span: Span


def stretches(
    script: Script, scenes: Sequence[Scene], turns: Mapping[int, Sequence[Turn]]
) -> dict[str, tuple[Stretch, ...]]:
    """Where each speaker of a script is heard alone, the longest first.

    Args:
        script: Who says what.
        scenes: Of the same source.
        turns: Who speaks when, by the index of the scene.
    """
    found: dict[str, list[Stretch]] = {}
    for utterance in script.utterances:
        scene = next((scene for scene in scenes if scene.span.overlap(utterance.span) > 0), None)
        if scene is None or scene.index not in turns:
            continue
        for span in _alone(utterance, turns[scene.index]):
            found.setdefault(utterance.speaker, []).append(Stretch(scene.index, span))
    return {
        speaker: tuple(sorted(many, key=lambda one: -one.span.seconds)[:_CANDIDATES]) for speaker, many in found.items()
    }


def _alone(utterance: Utterance, turns: Sequence[Turn]) -> Iterator[Span]:
    """The parts of an utterance in which exactly one voice is heard."""
    inside = [turn for turn in turns if turn.start < utterance.end and turn.end > utterance.start]
    edges = sorted({utterance.start, utterance.end, *(edge for turn in inside for edge in (turn.start, turn.end))})
    edges = [edge for edge in edges if utterance.start <= edge <= utterance.end]
    begun: float | None = None
    for start, end in pairwise(edges):
        alone = len({turn.speaker for turn in inside if turn.start <= start and turn.end >= end}) == 1
        if alone and begun is None:
            begun = start
        if begun is not None and (not alone or end == edges[-1]):
            last = end if alone else start
            if last - begun >= _SHORTEST_SECONDS + 2 * _MARGIN_SECONDS:
                yield Span(begun + _MARGIN_SECONDS, last - _MARGIN_SECONDS)
            begun = None


def best(heard: Iterable[tuple[Clip, Clip]]) -> Clip | None:
    """The stretches that show a voice best, one after the other; None where there is too little of it.

    Args:
        heard: Each stretch, and the scene that it is from.
    """
    ranked = sorted(((_worth(clip, scene), clip) for clip, scene in heard), key=lambda one: -one[0])
    chosen: list[Clip] = []
    for _, clip in ranked:
        if sum(one.seconds for one in chosen) >= ENOUGH_SECONDS:
            break
        chosen.append(clip)
    if sum(one.seconds for one in chosen) < LEAST_SECONDS:
        return None
    return _joined(sorted(chosen, key=lambda clip: clip.start))


def _worth(clip: Clip, scene: Clip) -> float:
    noise = float(np.quantile(_powers(scene), _QUIET_SHARE))
    signal = float(np.mean(_powers(clip)))
    return 10 * math.log10(max(signal, 1e-12) / max(noise, 1e-9)) + 10 * math.log10(clip.seconds)


def _powers(clip: Clip) -> Samples:
    frame = round(_FRAME_SECONDS * clip.rate)
    whole = len(clip.samples) // frame * frame
    powers: Samples = (
        np.mean(clip.samples[:whole].reshape(-1, frame) ** 2, axis=1) if whole else np.zeros(1, np.float32)
    )
    return powers


def _joined(clips: Sequence[Clip]) -> Clip:
    rate = clips[0].rate
    pause = np.zeros(round(_PAUSE_SECONDS * rate), np.float32)
    parts = [part for clip in clips for part in (clip.samples, pause)][:-1]
    return Clip(np.concatenate(parts)[: round(ENOUGH_SECONDS * rate)], rate)
