import signal
import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import psutil
import pytest
from av.stream import Disposition
from numpy.typing import NDArray

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.mux import mux
from dataflow.media.probe import probe
from dataflow.media.records import Chapter, MediaLimits, MuxPlan, MuxResult
from tests.fixtures.media import Picture, Track, boxes, clicks, tone, widen, write
from tests.fixtures.playback import onsets, picture_packets, pitch, samples

Sound = NDArray[np.float32]
NO_REORDERING = {"preset": "ultrafast", "bf": "0"}


def dub(
    source: Path,
    limits: MediaLimits,
    sound: Sound | None = None,
    *,
    rate: int = 48_000,
    original: int | None = 1,
    **changes: Any,
) -> tuple[Path, MuxResult]:
    """Mux a sound, of two seconds where none is given, into a source."""
    sound = tone(2, rate, 880.0) if sound is None else sound
    output = source.parent / f"{source.stem}.es{'.mp4' if probe(source, limits).video else '.m4a'}"
    channels: Literal[1, 2] = 1 if sound.ndim == 1 else 2
    plan = MuxPlan(source, output, rate, channels, len(sound), "es-MX", "Español", original=original)
    return output, mux(replace(plan, **changes), np.array_split(sound, 7), limits)


def top_boxes(path: Path) -> list[str]:
    data = path.read_bytes()
    kinds, position = [], 0
    while position < len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        kinds.append(kind.decode())
        position += size
    return kinds


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("plain.mp4", Picture()),
        ("vfr.mp4", Picture(rate=1000, times=(0, 40, 55, 300, 310, 900, 1700))),
        ("late.mp4", Picture(start=0.7)),
        ("early.mp4", Picture(start=-0.7)),
        ("single.mp4", Picture(seconds=0.1)),
        ("plain.mkv", Picture()),
        ("vfr.mkv", Picture(rate=1000, times=(0, 40, 55, 300, 310, 900, 1700))),
        ("late.mkv", Picture(start=0.7, options=NO_REORDERING)),
        ("ntsc.mov", Picture(rate=30, options=NO_REORDERING)),
        ("plain.flv", Picture()),
        ("plain.mpg", Picture(codec="mpeg2video", rate=25, options={"bf": "2"})),
        ("plain.webm", Picture(codec="libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"})),
        ("hevc.mp4", Picture(codec="libx265", options={"preset": "ultrafast", "x265-params": "log-level=none"})),
        ("av1.mp4", Picture(codec="libsvtav1", options={"preset": "12", "svtav1-params": "lp=1"})),
    ],
)
def test_every_picture_is_copied_with_its_time(
    tmp_path: Path, limits: MediaLimits, name: str, picture: Picture
) -> None:
    codec = {"webm": "libopus", "mpg": "mp2"}.get(name[-4:].strip("."), "aac")
    rate = 44_100 if name.endswith("flv") else 48_000
    container = "mpeg" if name.endswith("mpg") else None
    source = write(tmp_path / name, picture, [Track(tone(2, rate), rate, codec)], container=container)
    with av.open(source.as_posix()) as opened:
        starts = [s.start_time * s.time_base for s in opened.streams if s.start_time is not None and s.time_base]

    output, result = dub(source, limits)

    expected, copied = picture_packets(source, min(starts)), picture_packets(output)
    assert [(p.shown, p.size, p.key) for p in copied] == [(p.shown, p.size, p.key) for p in expected]
    assert result.video_packets == len(expected)
    decoded = [(c.decoded, e.decoded) for c, e in zip(copied, expected, strict=True) if e.decoded is not None]
    assert all(c == e for c, e in decoded)


def test_broadcast_pictures_keep_their_times(tmp_path: Path, limits: MediaLimits) -> None:
    source = write(tmp_path / "a.ts", Picture(start=50), [Track(tone(2), start=50)])
    with av.open(source.as_posix()) as opened:
        start = min(s.start_time * s.time_base for s in opened.streams)

    output, _ = dub(source, limits)

    assert [p.shown for p in picture_packets(output)] == [p.shown for p in picture_packets(source, start)]


def test_pictures_from_avi_show_in_the_right_order(tmp_path: Path, limits: MediaLimits) -> None:
    picture = Picture(seconds=3, rate=25, codec="mpeg4", options={"bf": "2", "qscale": "2"})
    source = write(tmp_path / "a.avi", picture, [Track(tone(3), codec="libmp3lame")])

    output, _ = dub(source, limits)

    with av.open(output.as_posix()) as opened:
        frames = [(f.pts, int(np.argmax(f.to_ndarray(format="gray")[0] > 150))) for f in opened.decode(video=0)]
    expected = [(number * 7) % (128 - 16) for number in range(75)]
    assert np.abs(np.array([bar for _, bar in sorted(frames)]) - expected).max() <= 3


@pytest.mark.parametrize("count", [1000, 1023, 1024, 1025, 48_000, 100_001])
@pytest.mark.parametrize(("rate", "channels"), [(48_000, 1), (24_000, 2), (44_100, 1)])
def test_the_dub_decodes_to_exactly_its_samples(
    *, clip: Path, tmp_path: Path, limits: MediaLimits, count: int, rate: int, channels: int
) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(clip.read_bytes())
    sound = tone(5, rate)[:count]

    output, _ = dub(source, limits, sound if channels == 1 else np.stack([sound, sound], axis=1), rate=rate)

    assert samples(output).shape == (count, channels)
    with av.open(output.as_posix()) as opened:
        track = opened.streams.audio[0]
        assert track.start_time == 0
        assert track.duration == count


def test_the_dub_does_not_drift(tmp_path: Path, limits: MediaLimits) -> None:
    source = write(tmp_path / "a.mkv", Picture(seconds=60, rate=5), [Track(tone(2))])
    moments = [0.5, 10.0, 30.25, 59.5]
    sound = clicks(60, moments)

    output, _ = dub(source, limits, sound)

    heard = samples(output)[:, 0]
    assert onsets(heard, 48_000) == pytest.approx(moments, abs=0.001)
    for moment in moments:
        around = slice(round((moment - 0.05) * 48_000), round((moment + 0.1) * 48_000))
        shifts = np.correlate(heard[around], sound[around], "full")
        assert int(np.argmax(shifts)) == len(sound[around]) - 1


def test_two_channels_stay_apart(clip: Path, tmp_path: Path, limits: MediaLimits) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(clip.read_bytes())

    output, _ = dub(source, limits, np.stack([tone(2, hertz=300), tone(2, hertz=900)], axis=1))

    heard = samples(output)
    assert pitch(heard[:, 0], 48_000) == pytest.approx(300, abs=2)
    assert pitch(heard[:, 1], 48_000) == pytest.approx(900, abs=2)


def test_tracks_are_in_order_and_named(clip: Path, tmp_path: Path, limits: MediaLimits) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(clip.read_bytes())

    output, result = dub(source, limits, original_title="Original", original_language="de-AT")

    assert result.original == "copied"
    assert result.size == output.stat().st_size
    with av.open(output.as_posix()) as opened:
        assert [s.type for s in opened.streams][:3] == ["video", "audio", "audio"]
        first, second = opened.streams.audio
        assert first.disposition & Disposition.default
        assert first.disposition & Disposition.dub
        assert not second.disposition & Disposition.default
        assert (first.metadata["language"], first.metadata["handler_name"]) == ("spa", "Español")
        assert (second.metadata["language"], second.metadata["handler_name"]) == ("deu", "Original")
        assert opened.metadata["title"] == "Ein Titel"
        assert opened.metadata["comment"].startswith("Ein Kommentar\n")
        assert "synthetic speech" in opened.metadata["comment"]
        assert "compositeWithTrainedAlgorithmicMedia" in opened.metadata["comment"]
    assert pitch(samples(output, 0)[:, 0], 48_000) == pytest.approx(880, abs=2)
    assert pitch(samples(output, 1)[:, 0], 48_000) == pytest.approx(440, abs=2)


def test_chapters_and_subtitles_are_kept(clip: Path, tmp_path: Path, limits: MediaLimits) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(clip.read_bytes())

    output, _ = dub(source, limits)

    info = probe(output, limits)
    assert info.chapters == (Chapter(0.0, 1.0, "Eins"), Chapter(1.0, 2.0, "Zwei"))
    assert [(s.codec, s.language) for s in info.subtitles] == [("mov_text", "en")]
    with av.open(output.as_posix()) as opened:
        lines = [(float(p.pts * p.time_base), bytes(p)[2:]) for p in opened.demux(subtitles=0) if p.size > 2]
    assert lines == [(0.2, b"Hallo"), (1.0, b"Welt")]


def test_the_original_can_be_left_out(clip: Path, tmp_path: Path, limits: MediaLimits) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(clip.read_bytes())

    output, result = dub(source, limits, original=None)

    assert result.original == "none"
    assert len(probe(output, limits).audios) == 1


def test_only_the_chosen_original_is_kept(tmp_path: Path, limits: MediaLimits) -> None:
    tracks = [Track(tone(2, hertz=300), tags={"language": "eng"}), Track(tone(2, hertz=600), tags={"language": "fra"})]
    source = write(tmp_path / "a.mkv", Picture(), tracks)

    output, _ = dub(source, limits, original=2)

    info = probe(output, limits)
    assert [t.language for t in info.audios] == ["es", "fr"]
    assert pitch(samples(output, 1)[:, 0], 48_000) == pytest.approx(600, abs=2)


@pytest.mark.parametrize("codec", ["pcm_s16le", "vorbis", "aac", "libopus", "flac", "ac3"])
@pytest.mark.parametrize("start", [0.0, 1.5])
def test_the_original_keeps_its_time(tmp_path: Path, limits: MediaLimits, codec: str, start: float) -> None:
    sound = np.tile(clicks(2, [0.5, 1.2])[:, None], (1, 2))
    original = Track(sound, codec=codec, start=start, options={"strict": "experimental"} if codec == "vorbis" else {})
    source = write(tmp_path / "a.mkv", Picture(seconds=4, options=NO_REORDERING), [original])

    output, result = dub(source, limits)

    assert result.original == ("encoded" if codec in {"pcm_s16le", "vorbis"} else "copied")
    with av.open(output.as_posix()) as opened:
        track = opened.streams.audio[1]
        late = float((track.start_time or 0) * track.time_base)
    assert [late + o for o in onsets(samples(output, 1)[:, 0], 48_000)] == pytest.approx(
        [start + 0.5, start + 1.2], abs=0.03
    )


def test_a_wide_original_is_re_encoded_as_it_is(tmp_path: Path, limits: MediaLimits) -> None:
    wide = np.tile(tone(2)[:, None], (1, 6))
    source = write(tmp_path / "a.mov", Picture(), [Track(wide, codec="pcm_s16le", layout="5.1")])

    output, result = dub(source, limits)

    assert result.original == "encoded"
    assert probe(output, limits).audios[1].layout == "5.1"


def test_rotation_aspect_and_colour_are_kept(tmp_path: Path, limits: MediaLimits) -> None:
    picture = Picture(rotation=90, aspect=Fraction(4, 3), colour=(9, 16, 9))
    source = write(tmp_path / "a.mp4", picture, [Track(tone(2))])

    output, _ = dub(source, limits)

    info = probe(output, limits)
    assert info.video is not None
    assert info.video.rotation == 270
    with av.open(output.as_posix()) as opened:
        stream = opened.streams.video[0]
        context = stream.codec_context
        assert stream.sample_aspect_ratio == Fraction(4, 3)
        assert (context.color_primaries, context.color_trc, context.colorspace) == (9, 16, 9)
    assert b"colr" in output.read_bytes()


def test_hdr_metadata_are_kept(tmp_path: Path, limits: MediaLimits) -> None:
    plain = write(tmp_path / "plain.mp4", Picture(), [Track(tone(2))])
    light = struct.pack(">I4sHH", 12, b"clli", 1000, 400)
    volume = struct.pack(">I4s8HII", 32, b"mdcv", 8500, 39850, 6550, 2300, 35400, 14600, 15635, 16450, 10_000_000, 50)
    source = widen(plain, tmp_path / "hdr.mp4", b"avc1\0\0\0\0\0\0", light + volume)

    output, _ = dub(source, limits)

    assert light in output.read_bytes()
    assert volume in output.read_bytes()


def test_dolby_vision_is_kept(tmp_path: Path, limits: MediaLimits) -> None:
    picture = Picture(codec="libx265", options={"preset": "ultrafast", "x265-params": "log-level=none"})
    plain = write(tmp_path / "plain.mp4", picture, [Track(tone(2))])
    profile = struct.pack(">I4s5B19x", 32, b"dvvC", 1, 0, 8 << 1, 4 << 3 | 0b101, 4 << 4)
    source = widen(plain, tmp_path / "dolby.mp4", b"hev1\0\0\0\0\0\0", profile)

    output, _ = dub(source, limits)

    assert b"dvvC" in output.read_bytes()


def test_a_time_code_that_does_not_fit_does_no_harm(tmp_path: Path, limits: MediaLimits) -> None:
    source = write(
        tmp_path / "a.mkv", Picture(rate=1000, times=(0, 333, 1234)), [Track(tone(2))], tags={"timecode": "x"}
    )

    output, _ = dub(source, limits)

    assert len(picture_packets(output)) == 3


def test_hevc_gets_the_tag_that_all_players_read(tmp_path: Path, limits: MediaLimits) -> None:
    picture = Picture(codec="libx265", options={"preset": "ultrafast", "x265-params": "log-level=none"})
    source = write(tmp_path / "a.mkv", picture, [Track(tone(2))])

    output, _ = dub(source, limits)

    with av.open(output.as_posix()) as opened:
        assert opened.streams.video[0].codec_context.codec_tag == "hvc1"


@pytest.mark.parametrize(("name", "codec"), [("a.mp3", "libmp3lame"), ("a.flac", "flac"), ("a.ogg", "libopus")])
def test_audio_files_become_m4a(tmp_path: Path, limits: MediaLimits, name: str, codec: str) -> None:
    source = write(tmp_path / name, None, [Track(tone(2), codec=codec)])

    output, result = dub(source, limits, original=0)

    assert (result.video_packets, result.video_seconds, result.original) == (0, 0.0, "copied")
    with av.open(output.as_posix()) as opened:
        assert opened.metadata["major_brand"] == "M4A "
        assert [s.type for s in opened.streams] == ["audio", "audio"]
    assert len(samples(output)) == 96_000


@pytest.mark.parametrize("codec", ["mjpeg", "png"])
def test_a_cover_is_kept_as_a_cover(tmp_path: Path, limits: MediaLimits, codec: str) -> None:
    source = write(tmp_path / "a.mp3", None, [Track(tone(2), codec="libmp3lame")], cover=codec)

    output, result = dub(source, limits, original=0)

    assert result.video_packets == 0
    with av.open(output.as_posix()) as opened:
        (cover,) = opened.streams.video
        assert cover.disposition & Disposition.attached_pic
        assert cover.codec_context.name == codec
    assert probe(output, limits).video is None


def test_a_cover_that_cannot_be_read_is_left_out(tmp_path: Path, limits: MediaLimits) -> None:
    source = write(tmp_path / "a.mp3", None, [Track(tone(2), codec="libmp3lame")], cover="png")
    source.write_bytes(source.read_bytes().replace(b"IHDR", b"XXXX"))

    output, _ = dub(source, limits, original=0)

    with av.open(output.as_posix()) as opened:
        assert len(opened.streams.video) == 0


def test_the_index_comes_first(clip: Path, tmp_path: Path, limits: MediaLimits) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(clip.read_bytes())

    output, _ = dub(source, limits)

    kinds = top_boxes(output)
    assert kinds.index("moov") < kinds.index("mdat")


def test_the_index_of_large_files_comes_first_without_writing_them_twice(
    clip: Path, tmp_path: Path, limits: MediaLimits
) -> None:
    source = tmp_path / "large.mp4"
    hole = 300 << 20
    with source.open("wb") as file:
        file.write(clip.read_bytes() + struct.pack(">I4s", hole, b"free"))
        file.truncate(file.tell() + hole - 8)

    output, _ = dub(source, limits)

    assert top_boxes(output)[:3] == ["ftyp", "moov", "free"]
    assert [p.shown for p in picture_packets(output)] == [p.shown for p in picture_packets(clip)]
    assert len(samples(output)) == 96_000


@pytest.mark.parametrize("seconds", [0.5, 6.0])
def test_a_dub_of_another_length_cuts_no_picture(
    clip: Path, tmp_path: Path, limits: MediaLimits, seconds: float
) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(clip.read_bytes())

    output, result = dub(source, limits, tone(seconds))

    assert len(picture_packets(output)) == len(picture_packets(clip))
    assert result.video_seconds == pytest.approx(2.0)
    assert len(samples(output)) == round(seconds * 48_000)


def test_what_an_edit_list_hides_at_the_end_stays_hidden(tmp_path: Path, limits: MediaLimits) -> None:
    source = write(tmp_path / "a.mp4", Picture(options=NO_REORDERING), [Track(tone(2))])
    data = bytearray(source.read_bytes())
    at = next(o for k, o, _ in boxes(data) if k == "elst")
    struct.pack_into(">I", data, at + 16, 1000)  # the picture's first edit now lasts a second
    source.write_bytes(data)
    with av.open(source.as_posix()) as opened:
        shown = [f.pts for f in opened.decode(video=0)]

    output, _ = dub(source, limits)

    with av.open(output.as_posix()) as opened:
        assert [f.pts for f in opened.decode(video=0)] == shown
    assert len(shown) < 20


def test_pictures_that_do_not_fit_are_refused_before_the_dub_is_read(tmp_path: Path, limits: MediaLimits) -> None:
    source = write(tmp_path / "a.webm", Picture(codec="libvpx", options={"deadline": "realtime"}), [])
    output = tmp_path / "out.mp4"

    with pytest.raises(DubflowError, match=r"vp8.*H\.264") as caught:
        mux(MuxPlan(source, output, 48_000, 1, 48_000_000, "es", "x"), endless(), limits)
    assert caught.value.code is ErrorCode.UNSUPPORTED_MEDIA
    assert not output.exists()


def endless() -> Iterator[Sound]:
    while True:
        yield tone(1)


def broken() -> Iterator[Sound]:
    yield tone(1)
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([tone(1.5)], "96000 samples was announced, 72000 arrived"),
        ([tone(2.5)], "96000 samples was announced"),
        ([np.zeros((96_000, 2), np.float32)], "2 channels, expected 1"),
        ([np.full(96_000, np.nan, np.float32)], "not finite"),
    ],
)
def test_a_dub_that_is_not_what_was_planned_leaves_no_file(
    clip: Path, tmp_path: Path, limits: MediaLimits, blocks: Iterable[Sound], message: str
) -> None:
    output = tmp_path / "out.mp4"

    with pytest.raises(DubflowError, match=message) as caught:
        mux(MuxPlan(clip, output, 48_000, 1, 96_000, "es", "x", original=1), blocks, limits)
    assert caught.value.code is ErrorCode.INTERNAL
    assert list(tmp_path.iterdir()) == []


def test_a_caller_that_fails_leaves_no_file(clip: Path, tmp_path: Path, limits: MediaLimits) -> None:
    output = tmp_path / "out.mp4"
    output.write_text("from an earlier attempt")

    with pytest.raises(ZeroDivisionError):
        mux(MuxPlan(clip, output, 48_000, 1, 96_000, "es", "x"), broken(), limits)
    assert list(tmp_path.iterdir()) == []


def test_a_crash_while_muxing_leaves_no_file(clip: Path, tmp_path: Path, limits: MediaLimits) -> None:
    before = set(psutil.Process().children())

    def crashing() -> Iterator[Sound]:
        yield tone(1)
        (child,) = set(psutil.Process().children()) - before
        child.send_signal(signal.SIGSEGV)
        yield from endless()

    with pytest.raises(DubflowError, match="signal 11") as caught:
        mux(MuxPlan(clip, tmp_path / "out.mp4", 48_000, 1, 48_000_000, "es", "x", original=1), crashing(), limits)
    assert caught.value.code is ErrorCode.DECODER_CRASHED
    assert list(tmp_path.iterdir()) == []
    assert set(psutil.Process().children()) == before


def test_a_full_disk_is_named(clip: Path, tmp_path: Path, limits: MediaLimits) -> None:
    output = tmp_path / "out.mp4"
    output.symlink_to("/dev/full")

    with pytest.raises(DubflowError) as caught:
        mux(MuxPlan(clip, output, 48_000, 1, 96_000, "es", "x"), [tone(2)], limits)
    assert caught.value.code is ErrorCode.DISK_FULL
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_named(clip: Path, tmp_path: Path, limits: MediaLimits) -> None:
    with pytest.raises(DubflowError) as caught:
        mux(MuxPlan(clip, tmp_path / "no" / "out.mp4", 48_000, 1, 1, "es", "x"), [tone(1)[:1]], limits)
    assert caught.value.code is ErrorCode.STORAGE_FAILED


def test_damage_in_the_source_does_not_stop_the_dub(tmp_path: Path, limits: MediaLimits) -> None:
    source = write(tmp_path / "a.mkv", Picture(), [Track(tone(2))])
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 6 // 10])

    output, result = dub(source, limits)

    assert 0 < result.video_packets < 20
    assert len(samples(output)) == 96_000


def test_one_damaged_packet_of_a_broadcast_does_not_stop_the_dub(tmp_path: Path, limits: MediaLimits) -> None:
    murmur = np.random.default_rng(0).normal(0, 0.1, 3 * 48_000).astype(np.float32)
    whole = write(tmp_path / "whole.ts", Picture(seconds=3), [Track(murmur)])
    data = whole.read_bytes()
    frame = data.index(b"\xff\xf1", len(data) // 2)
    source = tmp_path / "a.ts"
    source.write_bytes(data[: frame + 2] + bytes(3) + data[frame + 5 :])

    output, result = dub(source, limits)

    assert result.damaged_packets > 0
    assert len(picture_packets(output)) == len(picture_packets(whole))
    assert len(samples(output)) == 96_000


@pytest.mark.parametrize(("field", "value"), [("rate", 47_000), ("channels", 3), ("samples", 0)])
def test_plans_that_cannot_be_carried_out_are_refused(field: str, value: int) -> None:
    plan = MuxPlan(Path("a"), Path("b"), 48_000, 1, 1, "es", "x")

    with pytest.raises(ValueError, match=r"got|expected"):
        replace(plan, **{field: value})
