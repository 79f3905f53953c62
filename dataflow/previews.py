"""What is made of a job's files to show them, found by the doors through the entry points `dubflow.media`.

Each function takes the URI of a file and writes one file. All raise DubflowError: as the functions of `dataflow.media`
that they are named after, and `not_found`, `source_changed`, `disk_full` or `storage_failed` where there is no file.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.settings import Settings
from cluster.sources import changed, describe_source
from dataflow import fetch
from dataflow.media import excerpt
from dataflow.media import poster as posters
from dataflow.media import waveform as waveforms
from dataflow.media.records import MediaLimits

KEPT_BYTES = 16 << 30
"""Objects that stay on this node's disk, as who looks at one part of a film will look at another."""

POINTS = 2_000
"""Peaks of a waveform: about as many as a wide window has columns."""


def clip(
    uri: str,
    output: Path,
    settings: Settings,
    *,
    start: float,
    seconds: float,
    version: str = "",
    language: str | None = None,
) -> None:
    """Write a stretch of a film, in seconds, as a file that plays by itself."""
    with _at_hand(uri, version, settings) as (path, limits):
        excerpt.clip(path, output, limits, start=start, seconds=seconds, language=language)


def audio(uri: str, output: Path, settings: Settings, *, version: str = "", language: str | None = None) -> None:
    """Write a film's audio track as M4A."""
    with _at_hand(uri, version, settings) as (path, limits):
        excerpt.audio(path, output, limits, language=language)


def poster(uri: str, output: Path, settings: Settings, *, version: str = "") -> None:
    """Write one picture of a film as JPEG."""
    with _at_hand(uri, version, settings) as (path, limits):
        posters.poster(path, output, limits)


def waveform(uri: str, output: Path, settings: Settings, *, version: str = "", language: str | None = None) -> None:
    """Write how loud a film's audio track is over time, as JSON: `duration` in seconds and `peaks` from 0 to 1."""
    with _at_hand(uri, version, settings) as (path, limits):
        found = waveforms.waveform(path, limits, points=POINTS, language=language)
    output.write_text(json.dumps({"duration": found.seconds, "peaks": found.peaks}), encoding="ascii")


@contextmanager
def _at_hand(uri: str, version: str, settings: Settings) -> Iterator[tuple[Path, MediaLimits]]:
    limits, folder = MediaLimits.from_settings(settings), settings.scratch_folder / "shown"
    source = describe_source(uri, s3_endpoint_url=settings.s3_endpoint_url)
    if version and source.version != version:
        raise changed(source.name)
    fetch.keep_at_most(folder, max(0, KEPT_BYTES - source.size))
    path = fetch.fetch(source, folder, limits, s3_endpoint_url=settings.s3_endpoint_url)
    if path.parent == folder:
        path.touch()  # was used just now
    yield path, limits
