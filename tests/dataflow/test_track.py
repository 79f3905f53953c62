"""A dubbed track with the sound of a scene in the original's place: levels and peaks of the whole."""

from pathlib import Path

import numpy as np
import pytest

from actors.contracts.audio import Span
from cluster.blobs.local import LocalBlobs
from dataflow import flac
from dataflow.backgrounds import place_backgrounds
from dataflow.bed import Block
from dataflow.records import Level, PlacedTake, Scene, Take, Timeline
from dataflow.track import TRUE_PEAK_LIMIT, DubbedTrack, TrackFormat

RATE = 48_000
SECONDS = 12.0


def tone(hertz: float, seconds: float, level: float, rate: int = RATE) -> Block:
    wave = level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.stack([wave, wave], axis=1).astype(np.float32)


def track_of(blobs: LocalBlobs, music: float, voice: float) -> DubbedTrack:
    """Music under everything, a line from 4.5 s on in a scene of 4 to 7 s whose voices are gone."""
    scene = Scene(0, Span(4, 7), "", "", (Span(4.25, 6.75),))
    scenery = place_backgrounds([scene], {0: "background"}, SECONDS)
    (background,) = scenery.backgrounds
    rate = 44_100
    whole = tone(997, SECONDS, music, rate)
    blobs.put_bytes("background", flac.encode(whole[round(background.span.start * rate) :][: 4 * rate], rate))
    blobs.put_bytes("take", flac.encode(tone(220, 2, voice)[:, 0], RATE))
    take = Take("u1", "hola", "v", "take", RATE, 2 * RATE, 2.0, Level(0.01, 10), voice)
    timeline = Timeline(
        takes=(PlacedTake(take, 4.5, 2.0, 1.0, 1.0),),
        kept=scenery.kept,
        bed_gain=0.1,
        flags={},
        seconds=SECONDS,
        backgrounds=scenery.backgrounds,
    )
    shape = TrackFormat(RATE, 2, round(SECONDS * RATE))
    return DubbedTrack(blobs, timeline, shape, [tone(997, SECONDS, music)])


@pytest.mark.parametrize(("music", "voice"), [(0.2, 0.3), (0.6, 0.7)])
def test_music_keeps_its_level_and_the_whole_its_peaks(tmp_path: Path, music: float, voice: float) -> None:
    track = track_of(LocalBlobs(tmp_path), music, voice)
    sound = np.concatenate(list(track))
    assert sound.shape == (round(SECONDS * RATE), 2)
    alone = np.concatenate([sound[: round(4.4 * RATE)], sound[round(6.6 * RATE) :]])
    expected = tone(997, SECONDS, music)
    expected = np.concatenate([expected[: round(4.4 * RATE)], expected[round(6.6 * RATE) :]])
    # Also across both borders of the scene, and also where it was resampled.
    assert np.abs(alone - expected).max() < 0.005
    # However loud the two are together, the film is not made again, lower.
    assert track.excess == 1.0
    assert track.dbtp < 20 * np.log10(TRUE_PEAK_LIMIT)
    assert np.abs(sound[round(5 * RATE) : round(6 * RATE)]).max() == pytest.approx(min(music + voice, 0.84), abs=0.02)
