"""pyannote.audio's community pipeline: neural segmentation, speaker embeddings, clustering."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from actors.contracts.diarization import Diarization, DiarizationRequest, SceneSpeaker, Turn
from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.models import ModelSpec
from actors.diarization.appearance import by_appearance
from actors.diarization.cosine import CosineMetric
from actors.diarization.limits import answered
from actors.diarization.pyannote_batches import BatchedPipeline
from actors.models import chosen_model, info_of, loading, require_files, require_package
from actors.torch_share import keep_to_share

COMMUNITY = ModelSpec(
    name="pyannote-community-1",
    source="pyannote/speaker-diarization-community-1",
    revision="main",
    licence="CC-BY-4.0",
    gigabytes=0.04,
)
_SAME_PERSON = 0.65
"""Cosine distance between the mean embeddings of one person in two scenes stays below this."""


class Pyannote:
    """Tells speakers apart, also where they overlap; scenes of all recordings share its networks' batches.

    Parameters: `model` (a folder or repository of a whole pipeline; its files are executed as they are loaded, so use
    only ones that you trust), `batch` (windows that a network sees at once).
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._spec = chosen_model(options, COMMUNITY)
        self._windows = int(options.number("batch", 64 if options.device == "cuda" else 16))
        self._pipeline: BatchedPipeline | None = None

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        return info_of("pyannote", Capability.DIARIZATION, "1", self._spec)

    @property
    def metric(self) -> CosineMetric:
        """Compares the mean embeddings of speakers."""
        return CosineMetric(_SAME_PERSON)

    def check(self) -> None:
        """Tell whether the library and the weights are there.

        Raises:
            EngineError: `model_missing`.
        """
        require_package("pyannote.audio", "gpu", "diarization.pyannote")
        folder = self._spec.folder(self._options.models)
        require_files(folder, ("config.yaml",), Capability.DIARIZATION, "pyannote", self._spec)

    def load(self) -> None:
        """Load the networks.

        Raises:
            EngineError: `model_missing` or `model_load_failed`.
        """
        self.check()
        os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # nothing is told to anybody about what is dubbed here
        import torch
        from pyannote.audio import Pipeline

        folder = self._spec.folder(self._options.models)
        keep_to_share(self._options)
        with loading(self._spec):
            pipeline: Any = Pipeline.from_pretrained(folder)
            pipeline.to(torch.device(self._options.device))
        self._pipeline = BatchedPipeline(pipeline, self._windows)

    def run(self, batch: Sequence[DiarizationRequest]) -> Sequence[Diarization | EngineError]:
        """Diarize scenes, the windows of all of them together."""
        if self._pipeline is None:
            raise EngineError("load the diarizer before it is used", code="model_load_failed")
        pipeline = self._pipeline
        return answered(batch, lambda requests: _diarize(pipeline, requests))

    def close(self) -> None:
        """Free the memory of the networks."""
        self._pipeline = None


def _diarize(pipeline: BatchedPipeline, requests: Sequence[DiarizationRequest]) -> list[Diarization]:
    limits = [{"max_speakers": request.max_speakers} if request.max_speakers else {} for request in requests]
    outputs = pipeline.run([request.clip.samples for request in requests], limits)
    return [_diarization(request, output) for request, output in zip(requests, outputs, strict=True)]


def _diarization(request: DiarizationRequest, output: Any) -> Diarization:
    labels = output.speaker_diarization.labels()
    # A turn of padding only is cut to nothing, and its speaker with it.
    turns, appeared = by_appearance(_turns(request, output.speaker_diarization, labels))
    return Diarization(
        turns,
        tuple(_speaker(n, labels[i], output, output.speaker_embeddings[i]) for n, i in enumerate(appeared)),
    )


def _turns(request: DiarizationRequest, annotation: Any, labels: Sequence[str]) -> Iterator[Turn]:
    number = {label: i for i, label in enumerate(labels)}
    length = request.clip.seconds
    for segment, _, label in annotation.itertracks(yield_label=True):
        start, end = max(0.0, segment.start), min(length, segment.end)  # the last window's padding is no speech
        if start < end:
            yield Turn(request.clip.start + start, request.clip.start + end, number[label])


def _speaker(number: int, label: str, output: Any, embedding: Any) -> SceneSpeaker:
    clean = output.exclusive_speaker_diarization.label_duration(label)
    known = np.isfinite(embedding).all() and float(np.linalg.norm(embedding)) > 0
    return SceneSpeaker(number, float(clean), tuple(float(value) for value in embedding) if known else ())
