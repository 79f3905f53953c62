from collections.abc import Callable

import numpy as np
import pytest

from actors.contracts.audio import Clip, Span
from actors.contracts.engine import EngineOptions
from actors.speech_activity.silero import Silero
from actors.speech_activity.spans import speech_spans


@pytest.fixture(scope="session")
def speech_of() -> Callable[[Clip], tuple[Span, ...]]:
    """Finds the speech of a clip, on the clip's own clock, as the flow does."""
    detector = Silero(EngineOptions())
    detector.load()

    def find(clip: Clip) -> tuple[Span, ...]:
        stream = detector.stream()
        probabilities = np.concatenate([stream.push(clip.samples), stream.flush()])
        spans = speech_spans(probabilities, clip.seconds)
        return tuple(Span(span.start + clip.start, span.end + clip.start) for span in spans)

    return find
