"""Loudness as numbers, after ITU-R BS.1770-5 and EBU R 128; what measures it is in `dataflow.metering`."""

from collections.abc import Iterable
from math import inf, log10

from dataflow.records import Level

SILENT = Level(0.0, 0)

TAKE_CEILING = 10 ** (-1.5 / 20)
"""Linear true peak of a take; the half decibel up to the track's own limit is left to takes that sound together."""
MOST_LIMITING = 10 ** (8 / 20)
"""How far a take's peaks may be held down to make it as loud as its speaker was. Peaks of synthetic voices lie 17 to
23 dB over their loudness, those of recordings 10 to 17: without it a dub would stay up to ten decibels too quiet."""


def lufs(power: float) -> float:
    """K-weighted mean power as loudness; -inf for silence."""
    return -0.691 + 10 * log10(power) if power > 0 else -inf


def power_of(loudness: float) -> float:
    """The K-weighted mean power of a loudness in LUFS."""
    return float(10 ** ((loudness + 0.691) / 10))


def combine(levels: Iterable[Level]) -> Level:
    """The level of several pieces together, weighted by their lengths."""
    heard = [level for level in levels if level.blocks]
    blocks = sum(level.blocks for level in heard)
    return Level(sum(level.power * level.blocks for level in heard) / blocks, blocks) if blocks else SILENT
