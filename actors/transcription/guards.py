"""Signs that a recogniser has written what nobody said: loops, text that means nothing, text on silence."""

import zlib
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from actors.contracts.audio import Samples

SILENCE_DBFS = -60.0
"""What is quieter holds no words."""
_LONGEST_PHRASE = 8
_REPEATS = {1: 6, 2: 4}
"""How often a phrase of so many words has to come in a row to be a loop: people do say "no, no, no, no"."""
_REPEATS_OF_LONGER = 3


@dataclass(frozen=True, slots=True)
class GuardRules:
    """Limits, as Whisper's authors chose them (openai/whisper, `transcribe.py`).

    Attributes:
        compression: Text that zlib makes so many times shorter repeats itself.
        log_probability: A lower mean over the tokens means that the recogniser was guessing.
        no_speech: A higher probability means that it heard nothing, where it was guessing as well.
    """

    compression: float = 2.4
    log_probability: float = -1.0
    no_speech: float = 0.6


class Verdict(Enum):
    """What to think of a text."""

    GOOD = auto()
    GUESSED = auto()
    LOOPING = auto()
    NOTHING_HEARD = auto()


def judge(text: str, log_probability: float, no_speech: float, rules: GuardRules) -> Verdict:
    """Judge the text of one window.

    Args:
        text: What was written.
        log_probability: Mean over its tokens.
        no_speech: Probability that nobody speaks.
        rules: The limits.
    """
    guessing = log_probability < rules.log_probability
    if no_speech > rules.no_speech and guessing:
        return Verdict.NOTHING_HEARD
    if compression_ratio(text) > rules.compression or loops(text):
        return Verdict.LOOPING
    return Verdict.GUESSED if guessing else Verdict.GOOD


def compression_ratio(text: str) -> float:
    """How many times shorter zlib makes a text."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def loops(text: str) -> bool:
    """Whether a phrase comes again and again without anything between."""
    words = text.lower().split()
    return any(
        _runs(words, length) >= _REPEATS.get(length, _REPEATS_OF_LONGER)
        for length in range(1, min(_LONGEST_PHRASE, len(words)) + 1)
    )


def is_silent(samples: Samples) -> bool:
    """Whether nothing can be heard."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return power <= 10 ** (SILENCE_DBFS / 10)


def _runs(words: list[str], length: int) -> int:
    """How often, at most, some phrase of a length comes in a row."""
    longest = run = 1
    same = 0
    for before, after in zip(words, words[length:], strict=False):
        same = same + 1 if before == after else 0
        run = 1 + same // length
        longest = max(longest, run)
    return longest
