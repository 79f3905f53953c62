import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import langcodes
from langcodes.tag_parser import LanguageTagError

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.opening import opened_source
from dataflow.media.process import MediaChild, Reply, parsed
from dataflow.media.records import AudioTrack, Chapter, MediaInfo, MediaLimits, SubtitleTrack, VideoTrack


def probe(path: Path, limits: MediaLimits) -> MediaInfo:
    """Learn what a file claims to be, in a child process.

    Raises:
        DubflowError: NOT_FOUND, UNSUPPORTED_MEDIA, TRUNCATED_MEDIA, TOO_LARGE, MEDIA_LIMIT or DECODER_CRASHED.
    """
    with (
        opened_source(path, limits) as source,
        MediaChild({"task": "probe", "source": source}, limits, [source]) as child,
    ):
        size = os.fstat(source).st_size
        return parsed(child.reply(), lambda reply: _info(reply, size))


def check_picture(info: MediaInfo) -> None:
    """Make sure that the output can carry the picture, which is never re-encoded.

    Raises:
        DubflowError: UNSUPPORTED_MEDIA, with the codec and what to do about it.
    """
    if info.video is not None and info.video.obstacle:
        raise DubflowError(ErrorCode.UNSUPPORTED_MEDIA, info.video.obstacle)


def choose_audio(info: MediaInfo, language: str | None = None, track: int | None = None) -> AudioTrack:
    """Pick the track to dub: the explicit one, else the default one, else one in the language, else the first.

    Args:
        info: The probed file.
        language: BCP-47 code of what is spoken, where known.
        track: Stream index, where somebody has chosen.

    Raises:
        DubflowError: NO_AUDIO where the file has none; INVALID_REQUEST where `track` is not an audio track.
    """
    if not info.audios:
        raise DubflowError(ErrorCode.NO_AUDIO, "the file has no audio track, so there is nothing to dub")
    if track is not None:
        chosen = next((a for a in info.audios if a.index == track), None)
        if chosen is None:
            known = ", ".join(str(a.index) for a in info.audios)
            raise DubflowError(ErrorCode.INVALID_REQUEST, f"stream {track} is no audio track; there are {known}")
        return chosen
    marked = [a for a in info.audios if a.default]
    return next(iter([*marked, *_in_language(info.audios, language)]), info.audios[0])


def _in_language(tracks: Sequence[AudioTrack], language: str | None) -> list[AudioTrack]:
    if language is None:
        return []
    spoken = langcodes.Language.get(language)
    return [t for t in tracks if t.language and langcodes.Language.get(t.language).language == spoken.language]


def _info(reply: Reply, size: int) -> MediaInfo:
    return MediaInfo(
        container=str(reply["container"]),
        size=size,
        duration=_seconds(reply["duration"]),
        start_time=float(reply["start_time"]),
        missing_bytes=None if reply["missing_bytes"] is None else int(reply["missing_bytes"]),
        title=str(reply["title"]),
        videos=tuple(VideoTrack(**fields) for fields in reply["videos"]),
        audios=tuple(AudioTrack(**_with_language(fields)) for fields in reply["audios"]),
        subtitles=tuple(SubtitleTrack(**_with_language(fields)) for fields in reply["subtitles"]),
        chapters=tuple(Chapter(**fields) for fields in reply["chapters"]),
    )


def _seconds(value: Any) -> float | None:
    return None if value is None else float(value)


def _with_language(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {"language": _bcp47(str(fields["language"]))}


def _bcp47(tag: str) -> str | None:
    """What containers write as language (ISO 639-2 in MP4, either in Matroska) as BCP-47."""
    try:
        language = langcodes.Language.get(tag) if tag else None
    except LanguageTagError:
        return None
    return language.to_tag() if language and language.language and language.is_valid() else None
