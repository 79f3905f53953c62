from collections.abc import Iterable
from dataclasses import replace

from actors.contracts.diarization import Turn


def by_appearance(turns: Iterable[Turn]) -> tuple[tuple[Turn, ...], tuple[int, ...]]:
    """Turns sorted by start, their speakers numbered as they appear, and the former number of each."""
    ordered = sorted(turns, key=lambda turn: (turn.start, turn.speaker))
    appeared = tuple(dict.fromkeys(turn.speaker for turn in ordered))
    number = {speaker: i for i, speaker in enumerate(appeared)}
    return tuple(replace(turn, speaker=number[turn.speaker]) for turn in ordered), appeared
