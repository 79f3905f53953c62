from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dataflow.media.opening import opened_source
from dataflow.media.process import MediaChild, Reply, parsed
from dataflow.media.records import AudioTrack, DecodeSummary, MediaLimits

Block = NDArray[np.float32]


class DecodedAudio:
    """A track's samples, as they are decoded. Iterate once; the summary is there after the last block."""

    def __init__(self, child: MediaChild, channels: int) -> None:
        self._child = child
        self._channels = channels
        self._summary: DecodeSummary | None = None

    def __iter__(self) -> Iterator[Block]:
        """Blocks of at most a second: shape (n,) for one channel, else (n, channels), float32.

        Raises:
            DubflowError: What stopped the child.
        """
        while isinstance(frame := self._child.receive(), bytearray):
            samples = np.frombuffer(frame, np.float32)
            yield samples if self._channels == 1 else samples.reshape(-1, self._channels)
        self._summary = parsed(frame, _summary)

    @property
    def summary(self) -> DecodeSummary:
        """What came out.

        Raises:
            RuntimeError: The last block was not reached.
        """
        if self._summary is None:
            raise RuntimeError("the summary is known after the last block")
        return self._summary


@contextmanager
def decode_audio(
    path: Path, track: AudioTrack, limits: MediaLimits, *, rate: int, channels: Literal[1, 2] = 1
) -> Iterator[DecodedAudio]:
    """Decode a track in a child process, onto the source's clock: sample 0 is t = 0, gaps are silence.

    Memory stays constant, whatever the length. Leaving the context early ends the child.

    Args:
        path: The file.
        track: A track of the probed file.
        limits: What the file may cost.
        rate: Samples per second to deliver, in Hz.
        channels: 1 mixes all channels, 2 delivers stereo.

    Raises:
        DubflowError: NOT_FOUND, UNSUPPORTED_MEDIA, TRUNCATED_MEDIA, TOO_LARGE, MEDIA_LIMIT or DECODER_CRASHED.
    """
    with opened_source(path, limits) as source:
        request = {"task": "decode", "source": source, "track": track.index, "rate": rate, "channels": channels}
        with MediaChild(request, limits, [source]) as child:
            yield DecodedAudio(child, channels)


def _summary(reply: Reply) -> DecodeSummary:
    declared = reply["declared_seconds"]
    return DecodeSummary(
        seconds=float(reply["seconds"]),
        declared_seconds=None if declared is None else float(declared),
        corrupt_packets=int(reply["corrupt_packets"]),
        silent_seconds=float(reply["silent_seconds"]),
        truncated=bool(reply["truncated"]),
    )
