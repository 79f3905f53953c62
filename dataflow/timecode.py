import re

from cluster.errors import DubflowError, ErrorCode

_TIME = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)")


def parse_timecode(text: str) -> float:
    """Seconds of `90`, `90.5`, `1:30` or `1:02:03.5`.

    Raises:
        DubflowError: `invalid_request` for anything else.
    """
    match = _TIME.fullmatch(text.strip())
    if not match or (match[2] and float(match[3]) >= 60):  # noqa: PLR2004 - seconds in a minute
        raise DubflowError(ErrorCode.INVALID_REQUEST, f"{text!r} is no time; write seconds or H:MM:SS, such as 1:02:03")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)
