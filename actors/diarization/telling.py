"""Who speaks when in one scene, out of what two networks made of its windows."""

from collections.abc import Iterator

import numpy as np

from actors.contracts.audio import ANALYSIS_RATE
from actors.contracts.diarization import Diarization, DiarizationRequest, SceneSpeaker, Turn
from actors.diarization.appearance import by_appearance
from actors.diarization.clustering import People, centroids, nearest
from actors.diarization.powerset import FRAME_SECONDS, Activity
from actors.diarization.stitching import Timeline, stitch
from actors.diarization.voice_network import Voices, alone

_CLEAR_SECONDS = 1.0
"""People are found by windows in which they speak alone for so long; what else is heard is then given to them."""

_PRESENCE_SECONDS = 12.0
"""A person is in windows of so many seconds: `speaker-diarization-3.1` asks for 12 windows that start 1 s apart."""

_SHARE_OF_WINDOWS = 0.1
"""Or in so many of them, where there are few."""


def tell(request: DiarizationRequest, activity: Activity, voices: Voices, step: int) -> Diarization:
    """Diarize a scene.

    Args:
        request: The scene.
        activity: Who of its own speakers speaks in each window.
        voices: What these sound like.
        step: Samples between the starts of two windows.
    """
    known = np.isfinite(voices).all(axis=2)
    clear = known & (alone(activity).sum(axis=1) * FRAME_SECONDS >= _CLEAR_SECONDS)
    examples = voices[clear if clear.any() else known]
    if not len(examples):  # somebody may still say a word
        who, means = np.zeros(known.shape, np.int64), np.zeros((1, 0), np.float32)
    else:
        people = People(request.min_speakers or 1, request.max_speakers, _smallest(len(examples), step))
        means = centroids(examples, people)
        at_once = (activity.sum(axis=2) > 1).any(axis=1)
        who = np.array([nearest(one, means, distinct=both) for one, both in zip(voices, at_once, strict=True)])
    timeline = stitch(activity, who, len(means), step)
    turns, appeared = by_appearance(_turns(request, timeline, len(means)))
    speakers = enumerate(appeared)
    return Diarization(
        turns, tuple(SceneSpeaker(number, timeline.alone(i), tuple(means[i].tolist())) for number, i in speakers)
    )


def _smallest(examples: int, step: int) -> int:
    windows = round(_PRESENCE_SECONDS * ANALYSIS_RATE / step)
    return max(1, min(windows, round(_SHARE_OF_WINDOWS * examples)))


def _turns(request: DiarizationRequest, timeline: Timeline, people: int) -> Iterator[Turn]:
    for person in range(people):
        for start, end in timeline.spans(person):
            if start < request.clip.seconds:  # the last window's padding is no speech
                yield Turn(request.clip.start + start, request.clip.start + min(end, request.clip.seconds), person)
