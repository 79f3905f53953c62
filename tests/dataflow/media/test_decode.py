from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.decode import decode_audio
from dataflow.media.probe import choose_audio, probe
from dataflow.media.records import DecodeSummary, MediaLimits
from tests.fixtures.media import Picture, Track, claim_days, clicks, cut, flip, tone, write, write_unordered_wav
from tests.fixtures.playback import onsets, pitch

Sound = NDArray[np.float32]


def decode(
    path: Path, limits: MediaLimits, rate: int = 16_000, channels: Literal[1, 2] = 1
) -> tuple[Sound, DecodeSummary]:
    with decode_audio(path, choose_audio(probe(path, limits)), limits, rate=rate, channels=channels) as audio:
        blocks = list(audio)
    return np.concatenate(blocks), audio.summary


def level(sound: Sound) -> float:
    """Root mean square in dB of full scale."""
    return float(20 * np.log10(np.sqrt(np.mean(sound**2)) + 1e-9))


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_any_rate_keeps_pitch_and_length(tmp_path: Path, limits: MediaLimits, rate: int) -> None:
    path = write(tmp_path / "a.mov", None, [Track(tone(3, rate), rate, "pcm_s16le")])

    sound, summary = decode(path, limits)

    assert len(sound) == pytest.approx(48_000, abs=1)
    assert summary.seconds == len(sound) / 16_000
    assert pitch(sound, 16_000) == pytest.approx(440, abs=1)
    assert level(sound) == pytest.approx(level(tone(1)), abs=0.1)


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24le", "pcm_f32le", "pcm_u8"])
def test_any_depth_keeps_the_level(tmp_path: Path, limits: MediaLimits, codec: str) -> None:
    path = write(tmp_path / "a.wav", None, [Track(tone(1), codec=codec)])

    sound, _ = decode(path, limits)

    assert level(sound) == pytest.approx(level(tone(1)), abs=0.1)


def test_blocks_are_of_a_second_or_less_and_independent(clip: Path, limits: MediaLimits) -> None:
    with decode_audio(clip, choose_audio(probe(clip, limits)), limits, rate=16_000) as audio:
        blocks = list(audio)

    assert all(b.dtype == np.float32 and b.ndim == 1 and len(b) <= 16_000 for b in blocks)
    before = blocks[1].copy()
    blocks[0][:] = 0.0
    assert np.array_equal(blocks[1], before)


@pytest.mark.parametrize("name", ["late.mov", "late.mkv", "late.ts", "late.mp4"])
def test_a_late_track_stays_late(tmp_path: Path, limits: MediaLimits, name: str) -> None:
    heard = Track(clicks(2, [0.5, 1.5]), codec="pcm_s16le" if name.endswith("mov") else "aac", start=1.5)
    path = write(tmp_path / name, Picture(seconds=4, options={"preset": "ultrafast", "bf": "0"}), [heard])

    sound, summary = decode(path, limits)

    # Containers lie by up to the encoder's delay of 21 ms; the shift itself is 1.5 s.
    assert onsets(sound, 16_000) == pytest.approx([2.0, 3.0], abs=0.03)
    assert summary.silent_seconds == pytest.approx(1.5, abs=0.03)


def test_a_track_that_starts_early_is_trimmed_to_the_picture(tmp_path: Path, limits: MediaLimits) -> None:
    path = write(tmp_path / "early.mp4", Picture(), [Track(clicks(2, [0.2, 1.0, 1.5]), start=-0.5)])

    sound, summary = decode(path, limits)

    assert onsets(sound, 16_000) == pytest.approx([0.5, 1.0], abs=0.03)
    assert summary.seconds == pytest.approx(1.5, abs=0.03)


def test_time_in_containers_that_cannot_start_early_counts_from_the_first_track(
    tmp_path: Path, limits: MediaLimits
) -> None:
    path = write(tmp_path / "early.mkv", Picture(), [Track(clicks(2, [0.2, 1.0]), start=-0.5)])

    sound, _ = decode(path, limits)

    assert onsets(sound, 16_000) == pytest.approx([0.2, 1.0], abs=0.03)


def test_gaps_are_silence(tmp_path: Path, limits: MediaLimits) -> None:
    path = write(tmp_path / "gap.mkv", Picture(seconds=4), [Track(clicks(2, [0.5, 1.5]), gap=(1.0, 0.7))])

    sound, summary = decode(path, limits)

    assert onsets(sound, 16_000) == pytest.approx([0.5, 2.2], abs=0.03)
    assert summary.silent_seconds == pytest.approx(0.7, abs=0.03)
    assert summary.seconds == pytest.approx(2.7, abs=0.05)


def test_overlaps_are_trimmed(tmp_path: Path, limits: MediaLimits) -> None:
    overlapping = Track(clicks(3, [0.5, 2.5]), codec="pcm_s16le", gap=(1.0, -0.5))
    path = write(tmp_path / "overlap.mkv", Picture(seconds=4), [overlapping])

    sound, summary = decode(path, limits)

    assert onsets(sound, 16_000) == pytest.approx([0.5, 2.0], abs=0.01)
    assert summary.seconds == pytest.approx(2.5, abs=0.01)


def test_coarse_timestamps_are_no_gaps(tmp_path: Path, limits: MediaLimits) -> None:
    rough = tone(3, 44_100)
    path = write(tmp_path / "rough.mkv", Picture(seconds=3), [Track(rough, 44_100)])

    sound, summary = decode(path, limits, rate=44_100)

    assert summary.silent_seconds < 0.03
    assert level(sound[4_410 : 2 * 44_100]) == pytest.approx(level(rough), abs=0.2)


@pytest.mark.parametrize("speaking", range(8))
def test_speech_in_any_of_eight_unnamed_channels_survives(tmp_path: Path, limits: MediaLimits, speaking: int) -> None:
    channels = np.zeros((48_000, 8), np.float32)
    channels[:, speaking] = tone(1)
    path = write_unordered_wav(tmp_path / "eight.wav", channels)

    sound, _ = decode(path, limits)

    assert level(sound) > -20


@pytest.mark.parametrize(("count", "layout", "speaking"), [(6, "5.1", 2), (8, "7.1", 2), (8, "7.1", 6), (6, "5.1", 0)])
def test_speech_in_one_channel_of_a_known_layout_survives(
    tmp_path: Path, limits: MediaLimits, count: int, layout: str, speaking: int
) -> None:
    channels = np.zeros((48_000, count), np.float32)
    channels[:, speaking] = tone(1)
    path = write(tmp_path / "wide.mov", None, [Track(channels, codec="pcm_s16le", layout=layout)])

    sound, _ = decode(path, limits)

    assert level(sound) > -30
    assert pitch(sound, 16_000) == pytest.approx(440, abs=2)


def test_mixing_down_does_not_clip(tmp_path: Path, limits: MediaLimits) -> None:
    loud = np.tile(tone(1, level=0.99)[:, None], (1, 6))
    path = write(tmp_path / "loud.mov", None, [Track(loud, codec="pcm_s16le", layout="5.1")])

    sound, _ = decode(path, limits)

    assert np.abs(sound).max() <= 1.0


def test_stereo_keeps_its_sides(tmp_path: Path, limits: MediaLimits) -> None:
    sides = np.stack([tone(1, hertz=300), tone(1, hertz=900)], axis=1)
    path = write(tmp_path / "a.wav", None, [Track(sides, codec="pcm_s16le")])

    sound, _ = decode(path, limits, rate=48_000, channels=2)

    assert sound.shape == (48_000, 2)
    assert pitch(sound[:, 0], 48_000) == pytest.approx(300, abs=2)
    assert pitch(sound[:, 1], 48_000) == pytest.approx(900, abs=2)


def test_mono_on_two_channels_keeps_its_level(tmp_path: Path, limits: MediaLimits) -> None:
    path = write(tmp_path / "a.wav", None, [Track(tone(1), codec="pcm_s16le")])

    sound, _ = decode(path, limits, rate=48_000, channels=2)

    assert level(sound[:, 0]) == level(sound[:, 1]) == pytest.approx(level(tone(1)), abs=0.1)


def test_a_whole_file_is_not_truncated(fast_clip: Path, limits: MediaLimits) -> None:
    _, summary = decode(fast_clip, limits)

    assert not summary.truncated
    assert summary.declared_seconds == pytest.approx(4.0, abs=0.03)
    assert summary.corrupt_packets == 0


def test_a_file_that_was_cut_is_truncated(tmp_path: Path, fast_clip: Path, limits: MediaLimits) -> None:
    sound, summary = decode(cut(fast_clip, tmp_path / "cut.mp4", 0.6), limits)

    assert summary.truncated
    assert summary.declared_seconds == pytest.approx(4.0, abs=0.03)
    assert 1.0 < summary.seconds < 3.5
    assert len(sound) == summary.seconds * 16_000


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "aac"), ("a.avi", "libmp3lame"), ("a.wav", "pcm_s16le"), ("a.flac", "flac")]
)
def test_other_containers_that_were_cut_are_truncated(
    tmp_path: Path, limits: MediaLimits, name: str, codec: str
) -> None:
    picture = Picture(seconds=4, codec="mpeg4", options={}) if name in {"a.mkv", "a.avi"} else None
    whole = write(tmp_path / name, picture, [Track(tone(4), codec=codec)])

    assert not decode(whole, limits)[1].truncated
    assert decode(cut(whole, tmp_path / f"cut-{name}", 0.5), limits)[1].truncated


def test_a_header_that_claims_days_is_not_believed(tmp_path: Path, fast_clip: Path, limits: MediaLimits) -> None:
    sound, summary = decode(claim_days(fast_clip, tmp_path / "days.mp4"), limits)

    assert len(sound) / 16_000 == pytest.approx(4.0, abs=0.05)
    assert not summary.truncated


def test_a_wav_header_that_claims_more_than_there_is_costs_nothing(tmp_path: Path, limits: MediaLimits) -> None:
    path = write(tmp_path / "a.wav", None, [Track(tone(2), codec="pcm_s16le")])
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = (0xFFFFFF00).to_bytes(4, "little")
    path.write_bytes(data)

    _, summary = decode(path, limits)

    assert summary.seconds == pytest.approx(2.0, abs=0.01)
    assert not summary.truncated


@pytest.mark.parametrize("codec", ["aac", "libmp3lame"])
def test_damage_is_counted_and_the_rest_is_heard(tmp_path: Path, limits: MediaLimits, codec: str) -> None:
    whole = write(tmp_path / "a.mkv", None, [Track(tone(6), codec=codec)])
    damaged = flip(whole, tmp_path / "b.mkv", seed=3, count=60, first=0.4, last=0.6)

    sound, summary = decode(damaged, limits)

    assert summary.corrupt_packets > 0
    assert pitch(sound[:16_000], 16_000) == pytest.approx(440, abs=2)


def test_decoded_time_is_limited(tmp_path: Path, limits: MediaLimits) -> None:
    path = write(tmp_path / "long.flac", None, [Track(np.zeros(8_000 * 300, np.float32), 8_000, "flac")])
    assert path.stat().st_size < 100_000

    with pytest.raises(DubflowError, match="hours") as caught:
        decode(path, replace(limits, max_seconds=60.0))
    assert caught.value.code is ErrorCode.TOO_LARGE


def test_a_gap_of_years_is_not_filled(tmp_path: Path, limits: MediaLimits) -> None:
    path = write(tmp_path / "gap.mkv", Picture(), [Track(tone(2), gap=(1.0, 1e8))])

    with pytest.raises(DubflowError) as caught:
        decode(path, limits)
    assert caught.value.code is ErrorCode.TOO_LARGE


def test_a_broadcast_that_starts_anew_goes_on(tmp_path: Path, limits: MediaLimits) -> None:
    first = write(tmp_path / "1.ts", Picture(seconds=3, start=5_000), [Track(clicks(3, [1.0]), start=5_000)])
    second = write(tmp_path / "2.ts", Picture(seconds=3), [Track(clicks(3, [1.0]))])
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())

    sound, _ = decode(joined, limits)

    assert onsets(sound, 16_000) == pytest.approx([1.0, 4.0], abs=0.3)
    assert len(sound) / 16_000 == pytest.approx(6.0, abs=0.3)


def test_a_broadcast_whose_sound_pauses_keeps_its_clock(tmp_path: Path, limits: MediaLimits) -> None:
    # Noise, as transport streams gather quiet packets of many seconds before they write one.
    murmur = np.random.default_rng(0).normal(0, 0.05, 3 * 48_000).astype(np.float32)
    paused = Track(murmur + clicks(3, [0.5, 2.5]), gap=(1.5, 20.0))
    path = write(tmp_path / "pause.ts", Picture(seconds=25), [paused])

    sound, _ = decode(path, limits)

    assert onsets(sound, 16_000) == pytest.approx([0.5, 22.5], abs=0.25)


def test_the_shape_of_the_sound_may_change_midway(tmp_path: Path, limits: MediaLimits) -> None:
    low = write(tmp_path / "1.mp3", None, [Track(tone(2, 44_100), 44_100, "libmp3lame")], options={"write_xing": "0"})
    sides = np.tile(tone(2, 48_000, 880.0)[:, None], (1, 2))
    high = write(tmp_path / "2.mp3", None, [Track(sides, 48_000, "libmp3lame")], options={"write_xing": "0"})
    joined = tmp_path / "joined.mp3"
    joined.write_bytes(low.read_bytes() + high.read_bytes())

    sound, _ = decode(joined, limits)

    assert len(sound) / 16_000 == pytest.approx(4.0, abs=0.4)
    assert pitch(sound[8_000:24_000], 16_000) == pytest.approx(440, abs=3)
    assert pitch(sound[-24_000:-8_000], 16_000) == pytest.approx(880, abs=3)


def test_the_chosen_track_is_decoded(tmp_path: Path, limits: MediaLimits) -> None:
    tracks = [Track(tone(1, hertz=300), disposition=0), Track(tone(1, hertz=900))]
    info = probe(path := write(tmp_path / "two.mkv", Picture(), tracks), limits)

    with decode_audio(path, info.audios[1], limits, rate=16_000) as audio:
        sound = np.concatenate(list(audio))

    assert pitch(sound, 16_000) == pytest.approx(900, abs=2)


def test_the_summary_waits_for_the_last_block(clip: Path, limits: MediaLimits) -> None:
    with decode_audio(clip, choose_audio(probe(clip, limits)), limits, rate=16_000) as audio:
        next(iter(audio))
        with pytest.raises(RuntimeError, match="last block"):
            _ = audio.summary


def test_a_track_that_does_not_exist_is_refused(clip: Path, limits: MediaLimits) -> None:
    wrong = replace(choose_audio(probe(clip, limits)), index=0)

    with pytest.raises(DubflowError) as caught, decode_audio(clip, wrong, limits, rate=16_000) as audio:
        list(audio)
    assert caught.value.code is ErrorCode.UNSUPPORTED_MEDIA


def test_silence_and_very_short_tracks_decode(tmp_path: Path, limits: MediaLimits) -> None:
    silent, _ = decode(write(tmp_path / "a.mp4", Picture(), [Track(np.zeros(48_000, np.float32))]), limits)
    short, _ = decode(write(tmp_path / "b.wav", None, [Track(tone(0.1), codec="pcm_s16le")]), limits)
    single, _ = decode(write(tmp_path / "c.wav", None, [Track(tone(1)[:1], codec="pcm_s16le")]), limits, rate=48_000)

    assert np.abs(silent).max() < 1e-3
    assert len(short) == 1_600
    assert len(single) == 1
