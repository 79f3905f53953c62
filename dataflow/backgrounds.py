"""Which part of a source each scene's background stands in for.

A scene's sound is taken with some silence around it, so that what a voice leaves beyond its scene goes with it, and so
that there is something to crossfade with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from actors.contracts.audio import Span
from dataflow.records import Scene, SceneBackground

AROUND_SECONDS = 0.5
"""Of sound on both sides of a scene."""
EDGE_SECONDS = 0.05
"""The outermost part of that, which is only crossfaded with."""


@dataclass(frozen=True, slots=True)
class Scenery:
    """What a source is heard as under its dub.

    Attributes:
        backgrounds: The scenes without their voices.
        kept: Where nobody speaks, so that the original is heard as it was; sorted and disjoint. What is neither is the
            scenes whose voices could not be taken away.
    """

    backgrounds: tuple[SceneBackground, ...]
    kept: tuple[Span, ...]


def with_surroundings(span: Span, seconds: float = inf) -> Span:
    """When the sound of a scene plays that is to be separated, in a source of so many seconds."""
    return Span(max(0.0, span.start - AROUND_SECONDS), min(seconds, span.end + AROUND_SECONDS))


def heard_spans(scenes: Sequence[Span], seconds: float) -> list[Span]:
    """For each scene, where it is not the original that is heard: sorted and disjoint.

    Where the surroundings of two scenes meet, one follows the other in the middle. Beyond a source's first and last
    moment nothing has to fade, so that there they go on.

    Args:
        scenes: Sorted and disjoint.
        seconds: Length of the source.
    """
    wide = [with_surroundings(span, seconds) for span in scenes]
    begun = [one.start + EDGE_SECONDS if one.start > 0 else -EDGE_SECONDS for one in wide]
    ended = [one.end - EDGE_SECONDS if one.end < seconds else seconds + EDGE_SECONDS for one in wide]
    for i, (one, other) in enumerate(pairwise(wide)):
        middle = (one.end + other.start) / 2
        ended[i], begun[i + 1] = min(ended[i], middle), max(begun[i + 1], middle)
    return [Span(start, end) for start, end in zip(begun, ended, strict=True)]


def place_backgrounds(scenes: Sequence[Scene], keys: Mapping[int, str], seconds: float) -> Scenery:
    """What a source's scenes are heard as under the dub.

    Args:
        scenes: All of them.
        keys: The blob of each background, by scene; scenes without one are missing.
        seconds: Length of the source.
    """
    heard = heard_spans([scene.span for scene in scenes], seconds)
    backgrounds = tuple(
        SceneBackground(with_surroundings(scene.span, seconds), span, keys[scene.index])
        for scene, span in zip(scenes, heard, strict=True)
        if scene.index in keys
    )
    return Scenery(backgrounds, tuple(_between(heard, seconds)))


def _between(spans: Sequence[Span], seconds: float) -> list[Span]:
    edges = [0.0, *(edge for span in spans for edge in (span.start, span.end)), seconds]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [Span(start, end) for start, end in pairs if start < end]
