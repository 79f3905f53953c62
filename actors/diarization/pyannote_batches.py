"""pyannote's diarization of many recordings at once: its two networks see flat batches, its own code does the rest.

The library takes one recording a call and computes the speaker network once for every speaker of a window. Here the
windows of all recordings share batches, and that network's trunk runs once a window for all speakers of it. What
follows for each recording (counting, clustering, reconstruction) is the library's own `apply`, which is handed both
results. A batch gives what each recording alone gives.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from actors.contracts.audio import ANALYSIS_RATE, Samples
from actors.diarization.windows import cut, parted

_SEGMENTATIONS, _EMBEDDINGS = "dubflow/segmentations", "dubflow/embeddings"


class BatchedPipeline:
    """A loaded speaker-diarization pipeline.

    Args:
        pipeline: Of `pyannote.audio.pipelines.SpeakerDiarization`, on its device.
        windows: How many windows a network sees at once.
    """

    def __init__(self, pipeline: Any, windows: int) -> None:
        self._pipeline = pipeline
        self._windows = windows
        pipeline.get_segmentations = lambda file, **_ignored: file[_SEGMENTATIONS]
        pipeline.get_embeddings = lambda file, *_ignored, **_also: file[_EMBEDDINGS]

    def run(self, recordings: Sequence[Samples], limits: Sequence[Mapping[str, int]]) -> list[Any]:
        """Diarize recordings.

        Args:
            recordings: At 16 kHz.
            limits: `min_speakers` and the like of each.

        Returns:
            What `SpeakerDiarization.apply` returns of each.
        """
        windows = [self._cut(samples) for samples in recordings]
        segmentations = self._segmentations(windows)
        embeddings = self._embeddings(windows, segmentations)
        return [
            self._pipeline.apply(
                {"uri": str(i), _SEGMENTATIONS: segmentations[i], _EMBEDDINGS: embeddings[i]}, **limits[i]
            )
            for i in range(len(recordings))
        ]

    def _cut(self, samples: Samples) -> Any:
        """(windows, 1, samples) tensor: overlapping windows, the last one padded with silence."""
        import torch

        inference = self._pipeline._segmentation  # noqa: SLF001 - the library offers no other way to its networks
        size, step = inference.model.audio.get_num_samples(inference.duration), round(inference.step * ANALYSIS_RATE)
        return torch.from_numpy(cut(samples, size, step))[:, None, :]

    def _segmentations(self, windows: Sequence[Any]) -> list[Any]:
        """Who of a window's own speakers speaks in which of its frames, by recording."""
        import torch
        from pyannote.core import SlidingWindow, SlidingWindowFeature

        inference = self._pipeline._segmentation  # noqa: SLF001 - as above
        flat: Any = torch.cat(list(windows))
        activity = np.concatenate([inference.infer(batch) for batch in flat.split(self._windows)])
        clock = SlidingWindow(start=0.0, duration=inference.duration, step=inference.step)
        return [SlidingWindowFeature(own, clock) for own in parted(activity, windows)]

    def _embeddings(self, windows: Sequence[Any], segmentations: Sequence[Any]) -> list[Any]:
        """(windows, speakers, dimensions) of each recording."""
        import torch

        network = self._pipeline._embedding  # noqa: SLF001 - as above
        flat: Any = torch.cat(list(windows))
        masks = torch.from_numpy(np.concatenate([self._masks(one) for one in segmentations]))
        spoken = masks.sum(dim=(1, 2)) > 0
        made = np.full((len(flat), masks.shape[1], network.dimension), np.nan, np.float32)
        chosen: Any = torch.nonzero(spoken)[:, 0]
        for some in chosen.split(self._windows) if len(chosen) else ():
            made[some.numpy()] = network(flat[some], masks=masks[some])
        return list(parted(made, windows))

    def _masks(self, activity: Any) -> Any:
        """(windows, speakers, frames) weights: frames of a speaker alone where there are enough of them."""
        speaks = self._binarized(activity)
        frames = speaks.shape[1]
        if not self._pipeline.embedding_exclude_overlap:
            return np.swapaxes(speaks, 1, 2)
        alone = speaks * (speaks.sum(axis=2, keepdims=True) < 2)  # noqa: PLR2004 - two speak at once
        duration = self._pipeline._segmentation.duration  # noqa: SLF001 - as above
        least = math.ceil(frames * self._pipeline._embedding.min_num_samples / (duration * ANALYSIS_RATE))  # noqa: SLF001
        enough = alone.sum(axis=1, keepdims=True) > least
        return np.swapaxes(np.where(enough, alone, speaks), 1, 2).astype(np.float32)

    def _binarized(self, activity: Any) -> Any:
        if self._pipeline._segmentation.model.specifications.powerset:  # noqa: SLF001 - as above
            return np.nan_to_num(activity.data).astype(np.float32)
        from pyannote.audio.utils.signal import binarize

        onset = self._pipeline.segmentation.threshold
        return np.nan_to_num(binarize(activity, onset=onset, initial_state=False).data).astype(np.float32)
