from pathlib import Path

import pytest

from cluster.errors import DubflowError, ErrorCode
from serve_apps.media_types import HEAD_BYTES, require_media
from tests.fixtures.media import Picture, Track, tone, write

SAMPLE = Path(__file__).parent.parent.parent / "samples" / "jfk.mp4"
VIDEOS = {
    "a.mp4": ("libx264", "aac", None),
    "a.m4v": ("libx264", "aac", "mp4"),
    "a.mov": ("libx264", "aac", None),
    "a.mkv": ("libx264", "aac", None),
    "a.webm": ("libvpx", "libopus", None),
    "a.avi": ("mpeg4", "mp3", None),
    "a.ts": ("libx264", "aac", "mpegts"),
    "a.m2ts": ("libx264", "aac", "mpegts"),
    "a.mpg": ("mpeg2video", "mp2", "mpeg"),
    "a.flv": ("flv", "aac", None),
    "a.wmv": ("wmv2", "mp3", "asf"),
}
SOUNDS = {
    "a.mp3": ("mp3", None),
    "a.m4a": ("aac", "ipod"),
    "a.aac": ("aac", "adts"),
    "a.wav": ("pcm_s16le", None),
    "a.flac": ("flac", None),
    "a.ogg": ("libopus", None),
    "a.oga": ("flac", "ogg"),
    "a.opus": ("libopus", None),
    "a.wma": ("mp3", "asf"),
    "a.ac3": ("ac3", None),
    "a.aiff": ("pcm_s16be", None),
    "a.caf": ("pcm_s16le", None),
}
REFUSED = {
    "an HLS playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nok.mp4\n#EXT-X-ENDLIST\n",
    "a concat script": b"ffconcat version 1.0\nfile secret.wav\n",
    "text": b"Dear Sir or Madam,\n" * 300,
    "zeros": bytes(HEAD_BYTES),
    "nothing": b"",
    "a picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(50),
    "a drawing": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'></svg>",
    "a page": b"<!DOCTYPE html><html><body>not logged in</body></html>",
    "an archive": b"PK\x03\x04" + bytes(300),
    "a program": b"\x7fELF\x02\x01\x01" + bytes(300),
    "a document": b"%PDF-1.7\n" + bytes(300),
}


def head(path: Path) -> bytes:
    return path.read_bytes()[:HEAD_BYTES]


def test_the_sample_is_taken() -> None:
    require_media(".mp4", head(SAMPLE))


@pytest.mark.parametrize("name", VIDEOS)
def test_videos_are_taken(tmp_path: Path, name: str) -> None:
    video, audio, container = VIDEOS[name]
    picture = Picture(0.5, rate=25, codec=video, options={})
    path = write(tmp_path / name, picture, [Track(tone(0.5), 48_000, audio)], container=container)
    require_media(path.suffix, head(path))


@pytest.mark.parametrize("name", SOUNDS)
def test_sounds_are_taken(tmp_path: Path, name: str) -> None:
    codec, container = SOUNDS[name]
    path = write(tmp_path / name, None, [Track(tone(0.5), 48_000, codec)], container=container)
    require_media(path.suffix, head(path))


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_only_named_like_a_video_is_refused(what: str) -> None:
    with pytest.raises(DubflowError) as caught:
        require_media(".mp4", REFUSED[what])
    assert caught.value.code is ErrorCode.UNSUPPORTED_MEDIA


@pytest.mark.parametrize("extension", ["", ".exe", ".m3u8", ".txt", ".mp4.exe"])
def test_other_names_are_refused_whatever_is_in_them(extension: str) -> None:
    with pytest.raises(DubflowError) as caught:
        require_media(extension, head(SAMPLE))
    assert caught.value.code is ErrorCode.UNSUPPORTED_MEDIA
