from pathlib import Path

from dataflow.media.opening import created_output, opened_source
from dataflow.media.process import MediaChild, parsed
from dataflow.media.records import MediaLimits

SHARE = 0.1
"""Where in a film its picture is taken: openings are often black."""

LONGEST_SIDE = 640


def poster(source: Path, output: Path, limits: MediaLimits) -> tuple[int, int]:
    """Write one picture of a film as a small JPEG, in a child process: upright, with square pixels.

    Returns:
        Width and height in pixels.

    Raises:
        DubflowError: NOT_FOUND where the film has no picture; UNSUPPORTED_MEDIA, TRUNCATED_MEDIA, TOO_LARGE,
            MEDIA_LIMIT, DECODER_CRASHED, DISK_FULL or STORAGE_FAILED.
    """
    with opened_source(source, limits) as source_fd, created_output(output) as output_fd:
        wanted = {"share": SHARE, "longest_side": LONGEST_SIDE}
        request = {"task": "poster", "source": source_fd, "output": output_fd, **wanted}
        with MediaChild(request, limits, [source_fd, output_fd]) as child:
            return parsed(child.reply(), lambda fields: (int(fields["width"]), int(fields["height"])))
