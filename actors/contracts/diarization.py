from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from actors.contracts.audio import Clip, Span
from actors.contracts.engine import Engine


@dataclass(frozen=True, slots=True, eq=False)
class DiarizationRequest:
    """One scene.

    Attributes:
        clip: The scene's audio at 16 kHz.
        speech: Where somebody speaks, on the source's clock, sorted and disjoint.
        min_speakers: At least so many speakers in the whole source, where known.
        max_speakers: At most so many, where known.
    """

    clip: Clip
    speech: tuple[Span, ...]
    min_speakers: int | None = None
    max_speakers: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody speaks. `speaker` counts from 0 within one scene; turns of two speakers may overlap."""

    start: float
    end: float
    speaker: int


@dataclass(frozen=True, slots=True)
class SceneSpeaker:
    """One voice of one scene.

    Attributes:
        speaker: The number that the scene's turns use.
        seconds: How much of its clean speech the voiceprint was made from.
        voiceprint: A vector that only the engine's own `VoiceMetric` can compare; empty where there was too little.
    """

    speaker: int
    seconds: float
    voiceprint: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Diarization:
    """Who speaks when in one scene; turns sorted by start."""

    turns: tuple[Turn, ...]
    speakers: tuple[SceneSpeaker, ...]


class VoiceMetric(Protocol):
    """How far two voiceprints of one engine are apart; pure arithmetic, needs no `load`."""

    @property
    def threshold(self) -> float:
        """Two voices at a smaller distance are one person."""
        ...

    @property
    def across_recordings(self) -> bool:
        """Whether the threshold also holds between recordings, whatever the microphone, room and codec of each.

        Only then are the voiceprints kept and compared with those of other sources. They have to be vectors of one
        length then, of which a mean, weighted by seconds, is a voiceprint of the same voice.
        """
        ...

    def distances(self, voiceprints: Sequence[tuple[float, ...]]) -> NDArray[np.float64]:
        """Symmetric (n, n) matrix of distances: of the voiceprints of one source, or of many, as far as that holds."""
        ...


class Diarizer(Engine[DiarizationRequest, Diarization], Protocol):
    """Tells who speaks when within a scene, and gives voiceprints by which scenes are linked."""

    @property
    def metric(self) -> VoiceMetric:
        """Compares the voiceprints that this engine makes."""
        ...
