"""The dubbed track of one language: its takes fetched, fitted and mixed, and metered on the way to the encoder."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf, log10
from typing import Literal

import numpy as np

from actors.contracts.audio import Samples, Span
from cluster.blobs.contract import BlobStore
from dataflow import flac
from dataflow.bed import Background, Bed, Block, Stretch
from dataflow.limiter import limit, limit_stream
from dataflow.loudness import TAKE_CEILING, lufs
from dataflow.metering import LoudnessMeter, TruePeakMeter
from dataflow.mix import Piece, mix
from dataflow.records import PlacedTake, SceneBackground, Timeline
from dataflow.stretch import fit, resample

TRUE_PEAK_LIMIT = 10 ** (-1.0 / 20)
"""Linear; a track that exceeds it is made again, lower."""


@dataclass(frozen=True, slots=True)
class TrackFormat:
    """Sample rate in Hz, channels, and length in samples."""

    rate: int
    channels: Literal[1, 2]
    samples: int


class DubbedTrack:
    """One pass over a track.

    Args:
        blobs: Holds the takes.
        timeline: What plays when.
        shape: Of the track.
        original: The source's audio in the same rate and channels from its first sample on, where it is heard at all.
        gain: Linear gain of the whole.
    """

    def __init__(
        self,
        blobs: BlobStore,
        timeline: Timeline,
        shape: TrackFormat,
        original: Iterable[Block] | None,
        gain: float = 1.0,
    ) -> None:
        self._blobs = blobs
        self._timeline = timeline
        self._shape = shape
        self._original = original
        self._gain = gain
        self._loudness = LoudnessMeter(shape.rate)
        self._peak = TruePeakMeter()

    def __iter__(self) -> Iterator[Block]:
        """The blocks of the track, a second each, shape (n, channels)."""
        pieces = (self._piece(placed) for placed in self._timeline.takes)
        shape = self._shape
        blocks = mix(pieces, shape.samples, channels=shape.channels, block=shape.rate, bed=self._bed(), gain=self._gain)
        if self._timeline.backgrounds:
            # Music at its full level leaves a voice little room: peaks are held, so that the film need not be lowered.
            blocks = limit_stream(blocks, shape.rate, TAKE_CEILING)
        for block in blocks:
            # Without the original all channels are alike, so one tells all.
            heard = block if self._original is not None else block[:, 0]
            self._loudness.push(heard)
            self._peak.push(heard)
            yield block

    @property
    def lufs(self) -> float:
        """Integrated loudness of what has been played."""
        alike = self._shape.channels if self._original is None else 1
        return lufs(self._loudness.level().power * alike)

    @property
    def dbtp(self) -> float:
        """True peak of what has been played, in dBTP."""
        return self._peak.dbtp

    @property
    def excess(self) -> float:
        """The gain by which another pass has to be lower to keep the true-peak limit; 1.0 where this one keeps it."""
        return min(1.0, TRUE_PEAK_LIMIT / self._peak.peak) if self._peak.peak > 0 else 1.0

    def _piece(self, placed: PlacedTake) -> Piece:
        rate = self._shape.rate
        samples = max(1, round(placed.seconds * rate))
        return Piece(round(placed.start * rate), samples, lambda: self._load(placed, samples))

    def _load(self, placed: PlacedTake, samples: int) -> Samples:
        spoken, rate = flac.decode(self._blobs.get_bytes(placed.take.audio_key))
        fitted = fit(spoken, rate, to_rate=self._shape.rate, to_samples=samples)
        return limit(fitted * np.float32(placed.gain), self._shape.rate, TAKE_CEILING)

    def _bed(self) -> Bed | None:
        if self._original is None:
            return None
        timeline = self._timeline
        kept = [self._stretch(span) for span in timeline.kept]
        backgrounds = [self._background(one) for one in timeline.backgrounds]
        return Bed(self._original, timeline.bed_gain, kept, self._shape.rate, backgrounds)

    def _background(self, scene: SceneBackground) -> Background:
        whole = self._stretch(scene.span)
        return Background(whole.first, self._stretch(scene.heard), lambda: self._load_background(scene, whole))

    def _load_background(self, scene: SceneBackground, whole: Stretch) -> Block:
        sound, rate = flac.decode(self._blobs.get_bytes(scene.audio_key))
        return resample(sound, rate, self._shape.rate)[: whole.last - whole.first].reshape(-1, self._shape.channels)

    def _stretch(self, span: Span) -> Stretch:
        return Stretch(round(span.start * self._shape.rate), round(span.end * self._shape.rate))


def as_heard(mono_lufs: float | None, channels: int) -> float | None:
    """What a meter reads for mono speech played on so many channels alike."""
    return None if mono_lufs is None or mono_lufs == -inf else mono_lufs + 10 * log10(channels)
