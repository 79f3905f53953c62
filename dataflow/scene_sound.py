"""The sound of scenes at full quality, for engines that take voices away: kept until that is done."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import numpy as np
import structlog

from actors.contracts.audio import Span
from actors.contracts.separation import Separator, Stereo
from cluster.blobs.contract import BlobStore
from cluster.errors import DubflowError, LeaseLostError
from dataflow import artefacts, flac
from dataflow.backgrounds import AROUND_SECONDS, with_surroundings
from dataflow.bed import Block, as_blocks
from dataflow.context import JobView
from dataflow.media.decode import decode_audio
from dataflow.media.records import MediaLimits
from dataflow.opened import OpenedSource
from dataflow.records import Scene

log = structlog.get_logger()


class Tape:
    """A decoded track that runs forwards once, with a little way back.

    Args:
        blocks: Of shape (n, channels), from sample 0 on.
        back: Samples before the end of the last reading that can be read again.
    """

    def __init__(self, blocks: Iterable[Block], back: int) -> None:
        self._blocks = iter(blocks)
        self._back = back
        self._held: list[Block] = []
        self._first = 0
        self._end = 0

    def read(self, first: int, last: int) -> Block:
        """Samples `first` up to `last`, or as many as there are.

        Raises:
            DubflowError: What stopped the decoder.
        """
        while self._end < last and (block := next(self._blocks, None)) is not None:
            self._held.append(block)
            self._end += len(block)
            self._forget(first)
        joined = np.concatenate(self._held) if self._held else np.zeros((0, 1), np.float32)
        heard = joined[first - self._first : last - self._first].copy()
        self._forget(last - self._back)
        return heard

    def _forget(self, until: int) -> None:
        while self._held and self._first + len(self._held[0]) <= until:
            self._first += len(self._held.pop(0))


class SceneSounds:
    """Keeps what separation needs of a source's scenes.

    The track is decoded a second time, beside the analysis and no further than the scenes go: at the separator's rate
    and with its channels, from the same first sample. A decoder that breaks costs scenes their backgrounds, no more.

    Args:
        blobs: Where to keep it.
        separator: Takes the voices away, later and elsewhere.
        limits: What the source may cost.
    """

    def __init__(self, blobs: BlobStore, separator: Separator, limits: MediaLimits) -> None:
        self._blobs = blobs
        self._separator = separator
        self._limits = limits

    def kept(self, scenes: Iterable[Scene], source: OpenedSource, view: JobView) -> Iterator[Scene]:
        """The same scenes, each once its sound is kept where it is still needed."""
        with ExitStack() as opened:
            tape: Tape | None = None
            broken = False
            for scene in scenes:
                key = artefacts.scene_sound(view, scene, self._separator.rate)
                if not broken and self._is_needed(scene, key, view):
                    try:
                        tape = tape or self._tape(source, opened)
                        sound = self._cut(tape, scene.span)
                    except LeaseLostError:
                        raise
                    except DubflowError as error:
                        broken = True
                        log.warning("no sound to separate", job_id=view.job.id, error=error.message)
                    else:
                        self._blobs.put_bytes(key, flac.encode(sound, self._separator.rate))
                yield scene

    def _is_needed(self, scene: Scene, key: str, view: JobView) -> bool:
        made = artefacts.scene_background(view, scene, self._separator.info)
        return not self._blobs.exists(made) and not self._blobs.exists(key)

    def _tape(self, source: OpenedSource, opened: ExitStack) -> Tape:
        rate = self._separator.rate
        channels = source.track.heard_channels
        decoding = decode_audio(source.path, source.track, self._limits, rate=rate, channels=channels)
        return Tape(as_blocks(opened.enter_context(decoding)), back=round(3 * AROUND_SECONDS * rate))

    def _cut(self, tape: Tape, scene: Span) -> Block:
        span = with_surroundings(scene)
        return tape.read(round(span.start * self._separator.rate), round(span.end * self._separator.rate))


def as_stereo(sound: Block) -> Stereo:
    """Two channels, alike where there was one."""
    return np.repeat(sound.reshape(len(sound), -1), 2, axis=1) if sound.ndim == 1 else sound
