"""Which speakers of a source are people that one knows from other sources."""

from collections.abc import Sequence

import numpy as np

from actors.contracts.diarization import VoiceMetric

Voiceprint = tuple[float, ...]


def prepare() -> None:
    """Import what the first `recognise` would otherwise wait for."""
    import scipy.optimize  # noqa: F401 - imported for its effect on the first source


def recognise(heard: Sequence[Voiceprint], known: Sequence[Voiceprint], metric: VoiceMetric) -> tuple[int | None, ...]:
    """For each speaker of one source the known person that they are, by number; None where they are nobody of those.

    Two speakers of one source are never one person. A speaker who is not recognised counts as far away as the metric's
    threshold, and the sum of all distances is as small as can be: nobody is made somebody else only so that one more
    speaker is recognised.

    Args:
        heard: Voiceprints of the speakers; empty ones are nobody's.
        known: Voiceprints of the people, made by the same engine.
        metric: The engine's, one that holds across recordings.
    """
    if not (heard and known):
        return (None,) * len(heard)
    from scipy.optimize import linear_sum_assignment  # heavy, and only series need it

    apart = metric.distances([*heard, *known])[: len(heard), len(heard) :]
    strangers = np.full((len(heard), len(heard)), metric.threshold)
    speakers, people = linear_sum_assignment(np.hstack([np.minimum(apart, metric.threshold), strangers]))
    found = dict(zip(speakers.tolist(), people.tolist(), strict=True))
    return tuple(
        found[i] if found[i] < len(known) and apart[i, found[i]] < metric.threshold else None for i in range(len(heard))
    )


def mean_voiceprint(parts: Sequence[tuple[Voiceprint, float]]) -> Voiceprint:
    """The voiceprint of one voice from several, each with its seconds of speech; empty where there is none."""
    heard = [(voiceprint, seconds) for voiceprint, seconds in parts if voiceprint and seconds > 0]
    if not heard:
        return ()
    mean = np.average([voiceprint for voiceprint, _ in heard], axis=0, weights=[seconds for _, seconds in heard])
    return tuple(float(value) for value in mean)
