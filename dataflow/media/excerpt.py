import os
from pathlib import Path
from typing import Any

from dataflow.media.opening import created_output, opened_source
from dataflow.media.probe import choose_audio, probe
from dataflow.media.process import MediaChild, parsed
from dataflow.media.records import MediaLimits


def clip(
    source: Path, output: Path, limits: MediaLimits, *, start: float, seconds: float, language: str | None = None
) -> float:
    """Copy a stretch of a film, in a child process, to an MP4 file that plays by itself; M4A without a picture.

    Args:
        source: The file.
        output: Where to write; complete when this returns, gone when it raises.
        limits: What the source may cost.
        start: Seconds on the source's clock.
        seconds: How much of it, at most.
        language: Of the audio track, where the file has several and none is marked as default.

    Returns:
        Seconds that the clip lasts.

    Raises:
        DubflowError: INVALID_REQUEST where the file ends before the start; NOT_FOUND, UNSUPPORTED_MEDIA,
            TRUNCATED_MEDIA, TOO_LARGE, MEDIA_LIMIT, DECODER_CRASHED, DISK_FULL or STORAGE_FAILED.
    """
    return _excerpt(source, output, limits, picture=True, start=start, seconds=seconds, language=language)


def audio(source: Path, output: Path, limits: MediaLimits, *, language: str | None = None) -> float:
    """Copy the audio track of a film, in a child process, to an M4A file; the arguments are those of `clip`.

    Returns:
        Seconds that it lasts.

    Raises:
        DubflowError: NO_AUDIO; and as `clip`.
    """
    return _excerpt(source, output, limits, picture=False, start=0.0, seconds=None, language=language)


def _excerpt(source: Path, output: Path, limits: MediaLimits, *, language: str | None, **wanted: Any) -> float:
    info = probe(source, limits)
    silent_film = info.video is not None and not info.audios and wanted["picture"]
    track = None if silent_film else choose_audio(info, language).index
    with opened_source(source, limits) as source_fd, created_output(output) as output_fd:
        request = {"task": "excerpt", "source": source_fd, "output": output_fd, "track": track, **wanted}
        with MediaChild(request, limits, [source_fd, output_fd]) as child:
            reply = child.reply()
        os.fsync(output_fd)
        return parsed(reply, lambda fields: float(fields["seconds"]))
