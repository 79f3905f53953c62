"""Speech packed into windows for a recogniser that hears one length, and the way back to the source's clock."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from actors.contracts.audio import Clip, Samples, Span
from actors.transcription.chunks import ChunkRules, chunks

GAP_SECONDS = 0.3
"""Silence between pieces of a window, so that no word runs into the next."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the source, and where it begins in its window."""

    span: Span
    offset: float

    @property
    def end(self) -> float:
        """Where it ends in its window."""
        return self.offset + self.span.seconds


@dataclass(frozen=True, slots=True)
class Window:
    """Pieces one after the other, with short silences between."""

    pieces: tuple[Piece, ...]

    @property
    def seconds(self) -> float:
        """How long the window is."""
        return self.pieces[-1].end

    @property
    def spans(self) -> tuple[Span, ...]:
        """Which stretches of the source it holds."""
        return tuple(piece.span for piece in self.pieces)

    def samples(self, clip: Clip) -> Samples:
        """Its sound."""
        gap = np.zeros(round(GAP_SECONDS * clip.rate), np.float32)
        parts = [part for piece in self.pieces for part in (clip.cut(piece.span).samples, gap)]
        return np.concatenate(parts[:-1])

    def on_source(self, heard: Span) -> Span:
        """What was heard at some time of the window, on the source's clock, within the piece that holds most of it."""
        piece = max(
            self.pieces,
            key=lambda one: (heard.overlap(Span(one.offset, one.end)), -abs(one.offset - heard.start)),
        )
        shift = piece.span.start - piece.offset
        start = min(max(heard.start + shift, piece.span.start), piece.span.end)
        return Span(start, min(max(heard.end + shift, start), piece.span.end))


def pack(clip: Clip, speech: Sequence[Span], longest: float) -> tuple[Window, ...]:
    """The speech of a clip in as few windows as its order allows.

    Args:
        clip: The scene.
        speech: Sorted and disjoint, on the source's clock.
        longest: Seconds that a window may have. Longer speech is parted where it is quietest.
    """
    rules = ChunkRules(longest=longest, shortest=min(3.0, longest / 2))
    return tuple(_packed(chunks(clip, speech, rules), longest))


def _packed(phrases: Sequence[Span], longest: float) -> Iterator[Window]:
    pieces: list[Piece] = []
    for phrase in phrases:
        offset = pieces[-1].end + GAP_SECONDS if pieces else 0.0
        if pieces and offset + phrase.seconds > longest:
            yield Window(tuple(pieces))
            pieces, offset = [], 0.0
        pieces.append(Piece(phrase, offset))
    if pieces:
        yield Window(tuple(pieces))
