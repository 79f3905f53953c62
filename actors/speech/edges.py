import numpy as np

from actors.contracts.audio import Samples

_AUDIBLE = 0.01
"""Share of the loudest sample below which the edges of an utterance count as silence."""
_EDGE_SECONDS = 0.01
"""Kept before and after what is audible, so that soft beginnings are not cut off."""


def trimmed(waveform: Samples, rate: int) -> Samples:
    """An utterance without the silence before and after it; nothing of a waveform without sound."""
    loud = np.abs(waveform)
    audible = np.flatnonzero(loud > _AUDIBLE * loud.max(initial=0))
    if not len(audible):
        return np.zeros(0, np.float32)
    edge = round(_EDGE_SECONDS * rate)
    return waveform[max(0, audible[0] - edge) : audible[-1] + 1 + edge]
