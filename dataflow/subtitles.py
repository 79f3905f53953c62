"""SubRip and WebVTT of a dubbed script. The text comes from engines and users and is never trusted as markup.

Written here and not by a subtitle library: those treat braces and backslashes in text as markup and lose words.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LINE_CHARACTERS = 42
LINES_A_CUE = 2
"""The usual limits of broadcasters: two lines of 42 characters."""
MIN_CUE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Cue:
    """Text and when it is seen, in seconds."""

    start: float
    end: float
    text: str


def to_srt(cues: Sequence[Cue]) -> str:
    """SubRip; empty without cues. The format cannot escape its own arrow, so an arrow in text is drawn as one."""
    parts = [part for cue in cues for part in _fit(cue)]
    return "".join(
        f"{number}\n{_clock(part.start, ',')} --> {_clock(part.end, ',')}\n{part.text.replace('-->', '→')}\n\n"
        for number, part in enumerate(parts, start=1)
    )


def to_vtt(cues: Sequence[Cue]) -> str:
    """WebVTT (w3.org/TR/webvtt1), valid even without cues; `&`, `<` and `>` are escaped."""
    parts = [part for cue in cues for part in _fit(cue)]
    blocks = [f"{_clock(part.start, '.')} --> {_clock(part.end, '.')}\n{_escaped(part.text)}\n" for part in parts]
    return "\n".join(["WEBVTT\n", *blocks])


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(max(0.0, seconds) * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fit(cue: Cue) -> Iterator[Cue]:
    """A cue as several where its text is too long for one, each with its share of the time."""
    visible = "".join(c if c.isprintable() else " " for c in cue.text)
    lines = textwrap.wrap(" ".join(visible.split()), LINE_CHARACTERS)
    parts = ["\n".join(lines[i : i + LINES_A_CUE]) for i in range(0, len(lines), LINES_A_CUE)]
    seconds = max(cue.end - cue.start, MIN_CUE_SECONDS * len(parts))
    weights = [len(part) for part in parts]
    clock = cue.start
    for part, weight in zip(parts, weights, strict=True):
        until = clock + seconds * weight / sum(weights)
        yield Cue(clock, until, part)
        clock = until
