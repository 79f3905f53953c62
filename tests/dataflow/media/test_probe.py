import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.allowlists import MP4_VIDEO
from dataflow.media.probe import check_picture, choose_audio, probe
from dataflow.media.records import AudioTrack, Chapter, MediaInfo, MediaLimits
from tests.fixtures.media import Picture, Track, boxes, cut, tone, write

QUICK_VP8 = Picture(codec="libvpx", options={"deadline": "realtime"})
QUICK_VP9 = Picture(1, codec="libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"})
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nsecret.mp4\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile secret.mp4\n"
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
DASH = '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>secret.mp4</BaseURL></MPD>'
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"></svg>'


def code_of(path: Path, limits: MediaLimits) -> ErrorCode:
    with pytest.raises(DubflowError) as caught:
        probe(path, limits)
    return caught.value.code


def test_everything_that_a_file_says_of_itself_is_known(clip: Path, limits: MediaLimits) -> None:
    info = probe(clip, limits)

    assert info.container.startswith("mov")
    assert info.size == clip.stat().st_size
    assert info.duration == pytest.approx(2.0, abs=0.03)
    assert (info.start_time, info.missing_bytes, info.title) == (0.0, 0, "Ein Titel")
    assert info.video is not None
    assert (info.video.codec, info.video.width, info.video.height, info.video.rate) == ("h264", 128, 96, 10.0)
    assert info.video_fits_mp4
    (track,) = info.audios
    assert (track.codec, track.rate, track.channels, track.layout) == ("aac", 48_000, 1, "mono")
    assert (track.language, track.default, track.start) == ("de", True, 0.0)
    assert [(s.codec, s.language, s.fits_mp4) for s in info.subtitles] == [("mov_text", "en", True)]
    assert info.chapters == (Chapter(0.0, 1.0, "Eins"), Chapter(1.0, 2.0, "Zwei"))


@pytest.mark.parametrize(
    ("name", "picture", "track", "codecs"),
    [
        ("a.mkv", Picture(1), Track(tone(1)), ("h264", "aac")),
        ("a.mov", Picture(1), Track(tone(1), codec="pcm_s16le"), ("h264", "pcm_s16le")),
        ("a.ts", Picture(1), Track(tone(1)), ("h264", "aac")),
        ("a.avi", Picture(1, codec="mpeg4", options={}), Track(tone(1), codec="libmp3lame"), ("mpeg4", "mp3")),
        ("a.flv", Picture(1), Track(tone(1, 44_100), rate=44_100), ("h264", "aac")),
        ("a.webm", QUICK_VP9, Track(tone(1), codec="libopus"), ("vp9", "opus")),
        (
            "a.mpg",
            Picture(1, codec="mpeg2video", rate=25, options={}),
            Track(tone(1), codec="mp2"),
            ("mpeg2video", "mp2"),
        ),
        ("a.mp3", None, Track(tone(1), codec="libmp3lame"), (None, "mp3")),
        ("a.flac", None, Track(tone(1), codec="flac"), (None, "flac")),
        ("a.ogg", None, Track(tone(1), codec="libopus"), (None, "opus")),
        ("a.wav", None, Track(tone(1), codec="pcm_s16le"), (None, "pcm_s16le")),
        ("a.aac", None, Track(tone(1)), (None, "aac")),
        ("a.m4a", None, Track(tone(1)), (None, "aac")),
    ],
)
def test_common_containers_are_read(
    *,
    tmp_path: Path,
    limits: MediaLimits,
    name: str,
    picture: Picture | None,
    track: Track,
    codecs: tuple[str | None, str],
) -> None:
    path = write(tmp_path / name, picture, [track], container={"a.mpg": "mpeg", "a.aac": "adts"}.get(name))

    info = probe(path, limits)

    assert (info.video.codec if info.video else None, info.audios[0].codec) == codecs
    assert info.video_fits_mp4
    assert info.duration == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("content", ["", "Just some text.\n" * 100, HLS, CONCAT, SDP, DASH, SVG])
def test_text_of_any_kind_is_no_media(tmp_path: Path, limits: MediaLimits, clip: Path, content: str) -> None:
    (tmp_path / "secret.mp4").write_bytes(clip.read_bytes())
    path = tmp_path / "upload.mp4"
    path.write_text(content)

    assert code_of(path, limits) is ErrorCode.UNSUPPORTED_MEDIA


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_are_no_media(tmp_path: Path, limits: MediaLimits, seed: int) -> None:
    path = tmp_path / "noise.mp4"
    path.write_bytes(np.random.default_rng(seed).bytes(50_000))

    assert code_of(path, limits) is ErrorCode.UNSUPPORTED_MEDIA


def test_a_picture_file_is_no_media(tmp_path: Path, limits: MediaLimits) -> None:
    image = write(tmp_path / "image.png", Picture(0.1, codec="png", pix_fmt="rgb24", options={}), container="image2")
    path = image.rename(tmp_path / "image.mp4")

    assert code_of(path, limits) is ErrorCode.UNSUPPORTED_MEDIA


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_a_recording_that_broke_off_is_truncated(tmp_path: Path, clip: Path, limits: MediaLimits, share: float) -> None:
    assert code_of(cut(clip, tmp_path / "cut.mp4", share), limits) is ErrorCode.TRUNCATED_MEDIA


def test_a_file_that_is_cut_in_its_index_is_truncated(tmp_path: Path, fast_clip: Path, limits: MediaLimits) -> None:
    assert code_of(cut(fast_clip, tmp_path / "cut.mp4", 0.01), limits) is ErrorCode.TRUNCATED_MEDIA


def test_missing_bytes_are_counted(tmp_path: Path, fast_clip: Path, limits: MediaLimits) -> None:
    path = cut(fast_clip, tmp_path / "cut.mp4", 0.6)

    assert probe(path, limits).missing_bytes == fast_clip.stat().st_size - path.stat().st_size


def _missing(folder: Path) -> Path:
    return folder / "missing.mp4"


def _folder(folder: Path) -> Path:
    return folder


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.mp4")
    return folder / "pipe.mp4"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (_missing, ErrorCode.NOT_FOUND),
        (_folder, ErrorCode.UNSUPPORTED_MEDIA),
        (_pipe, ErrorCode.UNSUPPORTED_MEDIA),
    ],
)
def test_what_is_no_regular_file_is_refused(
    tmp_path: Path, limits: MediaLimits, make: Callable[[Path], Path], code: ErrorCode
) -> None:
    assert code_of(make(tmp_path), limits) is code


def test_encrypted_files_are_refused_as_such(tmp_path: Path, limits: MediaLimits) -> None:
    path = write(
        tmp_path / "drm.mp4",
        Picture(),
        [Track(tone(2))],
        options={
            "encryption_scheme": "cenc-aes-ctr",
            "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
            "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
        },
    )

    with pytest.raises(DubflowError, match="encrypted") as caught:
        probe(path, limits)
    assert caught.value.code is ErrorCode.UNSUPPORTED_MEDIA


def test_limits_on_bytes_pixels_and_streams_hold(tmp_path: Path, clip: Path, limits: MediaLimits) -> None:
    many = write(tmp_path / "many.mkv", None, [Track(tone(0.1, 8_000), 8_000, "pcm_s16le") for _ in range(40)])

    assert code_of(clip, replace(limits, max_bytes=1000)) is ErrorCode.TOO_LARGE
    assert code_of(clip, replace(limits, max_pixels=128 * 96 - 1)) is ErrorCode.MEDIA_LIMIT
    assert code_of(many, limits) is ErrorCode.MEDIA_LIMIT
    assert len(probe(many, replace(limits, max_streams=40)).audios) == 40


def test_a_small_file_with_a_huge_picture_is_refused(tmp_path: Path, limits: MediaLimits) -> None:
    path = write(tmp_path / "bomb.avi", Picture(0.1, 8192, 8192, codec="mjpeg", pix_fmt="yuvj420p", options={}))

    assert path.stat().st_size < 2_000_000
    assert code_of(path, limits) is ErrorCode.MEDIA_LIMIT


@pytest.mark.parametrize(("turn", "rotation"), [(90, 270), (-90, 90), (180, 180)])
def test_rotation_is_known(tmp_path: Path, limits: MediaLimits, turn: int, rotation: int) -> None:
    info = probe(write(tmp_path / "turned.mp4", Picture(rotation=turn), [Track(tone(1))]), limits)

    assert info.video is not None
    assert info.video.rotation == rotation


@pytest.mark.parametrize(
    ("name", "picture", "codec"),
    [
        ("a.webm", QUICK_VP8, "vp8"),
        ("a.mov", Picture(codec="prores_ks", pix_fmt="yuv422p10le", options={}), "prores"),
        ("a.avi", Picture(), "h264"),
    ],
)
def test_pictures_that_mp4_cannot_carry_are_known_before_any_work(
    tmp_path: Path, limits: MediaLimits, name: str, picture: Picture, codec: str
) -> None:
    info = probe(write(tmp_path / name, picture), limits)

    assert not info.video_fits_mp4
    with pytest.raises(DubflowError, match=f"{codec}.*convert") as caught:
        check_picture(info)
    assert caught.value.code is ErrorCode.UNSUPPORTED_MEDIA


def test_h264_in_avi_fits_where_its_order_is_plain(tmp_path: Path, limits: MediaLimits) -> None:
    plain = Picture(options={"preset": "ultrafast", "bf": "0"})

    check_picture(probe(write(tmp_path / "a.avi", plain), limits))


def test_the_muxer_takes_every_picture_that_is_said_to_fit() -> None:
    with av.open("unused.mp4", "w") as output:
        names = output.supported_codecs
    carried = {av.Codec(name, "r").canonical_name for name in names if _decodes(name)}

    assert carried >= MP4_VIDEO


def _decodes(name: str) -> bool:
    try:
        return av.Codec(name, "r").is_decoder
    except ValueError:
        return False


@pytest.mark.parametrize("name", ["cover.mp3", "cover.mp4"])
def test_a_cover_is_no_moving_picture(tmp_path: Path, limits: MediaLimits, name: str) -> None:
    codec = "libmp3lame" if name.endswith("mp3") else "aac"
    info = probe(write(tmp_path / name, None, [Track(tone(1), codec=codec)], cover="mjpeg"), limits)

    assert info.video is None
    assert info.video_fits_mp4
    assert len(info.audios) == 1


@pytest.mark.parametrize(
    "name",
    [
        *(b"-x.mp4", b"a:b.mp4", b"%03d.mp4", b"concat:a|b.mp4", b"http:\\x.mp4", b"fd:3.mp4", b"two\nlines.mp4"),
        *(
            "\N{GRINNING FACE}\N{HEBREW LETTER ALEF}.mp4".encode(),
            b"latin-\xe4\xff.mp4",
            b" .mp4",
            b"x" * 251 + b".mp4",
        ),
    ],
)
def test_names_have_no_meaning(tmp_path: Path, clip: Path, limits: MediaLimits, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(clip.read_bytes())

    assert probe(path, limits) == probe(clip, limits)


def test_metadata_in_an_old_encoding_do_no_harm(tmp_path: Path, limits: MediaLimits) -> None:
    path = write(tmp_path / "a.mp4", Picture(), [Track(tone(1))], tags={"title": "Xylophon"})
    path.write_bytes(path.read_bytes().replace(b"Xylophon", b"Xyl\xf6ph\xf6n"))

    assert probe(path, limits).title == "Xyl�ph�n"


def test_tracks_have_titles_in_matroska(tmp_path: Path, limits: MediaLimits) -> None:
    path = write(tmp_path / "a.mkv", Picture(), [Track(tone(1), tags={"title": "Commentary", "language": "ger"})])

    (heard,) = probe(path, limits).audios
    assert (heard.title, heard.language) == ("Commentary", "de")


def test_a_late_track_is_known_to_be_late(tmp_path: Path, limits: MediaLimits) -> None:
    info = probe(write(tmp_path / "late.mkv", Picture(), [Track(tone(1), start=1.5)]), limits)

    assert info.audios[0].start == pytest.approx(1.5, abs=0.03)


def test_broadcasts_do_not_start_at_zero(tmp_path: Path, limits: MediaLimits) -> None:
    info = probe(write(tmp_path / "a.ts", Picture(start=100.0), [Track(tone(1), start=100.0)]), limits)

    assert info.start_time == pytest.approx(100, abs=1)
    assert info.audios[0].start == pytest.approx(0, abs=0.25)


def test_aspect_ratio_boxes_are_not_mistaken_for_damage(tmp_path: Path, limits: MediaLimits) -> None:
    path = write(tmp_path / "a.mp4", Picture(aspect=Fraction(4, 3)), [Track(tone(1))])

    assert "moov" in {kind for kind, _, _ in boxes(path.read_bytes())}
    assert probe(path, limits).missing_bytes == 0


def track(index: int, *, language: str | None = None, default: bool = False) -> AudioTrack:
    return AudioTrack(index, "aac", 48_000, 2, "stereo", language, "", default, 0.0, None)


def info_with(*tracks: AudioTrack) -> MediaInfo:
    return MediaInfo("mov", 1, 1.0, 0.0, 0, "", (), tracks, (), ())


def test_an_explicit_track_wins_over_all_else() -> None:
    info = info_with(track(1, default=True), track(2, language="en"), track(3))

    assert choose_audio(info, "en", track=3).index == 3
    with pytest.raises(DubflowError, match="1, 2, 3") as caught:
        choose_audio(info, track=0)
    assert caught.value.code is ErrorCode.INVALID_REQUEST


def test_the_default_track_wins_over_the_language() -> None:
    assert choose_audio(info_with(track(1), track(2, default=True), track(3, language="en")), "en").index == 2


def test_the_language_wins_over_the_first_track() -> None:
    info = info_with(track(1, language="de"), track(2), track(3, language="en-US"))

    assert choose_audio(info, "en").index == 3
    assert choose_audio(info, "fr").index == 1
    assert choose_audio(info).index == 1


def test_a_file_without_sound_cannot_be_dubbed(tmp_path: Path, limits: MediaLimits) -> None:
    info = probe(write(tmp_path / "silent.mp4", Picture()), limits)

    with pytest.raises(DubflowError) as caught:
        choose_audio(info)
    assert caught.value.code is ErrorCode.NO_AUDIO
