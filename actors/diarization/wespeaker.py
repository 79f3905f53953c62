"""A neural diarizer for processors: powerset segmentation and WeSpeaker's embeddings, run by onnxruntime."""

from collections.abc import Sequence

from actors.contracts.diarization import Diarization, DiarizationRequest
from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.models import ModelSpec
from actors.diarization.cosine import CosineMetric
from actors.diarization.kaldi_features import FRAME_SAMPLES, FRAME_SECONDS
from actors.diarization.limits import answered
from actors.diarization.onnx_network import OnnxNetwork
from actors.diarization.powerset import WINDOW_SAMPLES, SegmentationNetwork
from actors.diarization.telling import tell
from actors.diarization.voice_network import VoiceNetwork
from actors.diarization.windows import cut, parted
from actors.models import chosen_model, info_of, loading, require_files

_VOICE_FILE, _SEGMENTATION_FILE = "voxceleb_resnet34_LM.onnx", "onnx/model.onnx"
VOICES = ModelSpec(
    name="wespeaker-voxceleb-resnet34-LM",
    source="Wespeaker/wespeaker-voxceleb-resnet34-LM",
    revision="f0c48c298fd835726c27956a5d617bad7115627e",
    licence="CC-BY-4.0",
    gigabytes=0.03,
    files=(_VOICE_FILE,),
)
SEGMENTATION = ModelSpec(
    name="pyannote-segmentation-3.0-onnx",
    source="onnx-community/pyannote-segmentation-3.0",
    revision="ba901999aae0a8720ffe230562eaa8d0bbf00d0c",
    licence="MIT",
    gigabytes=0.01,
    files=(_SEGMENTATION_FILE,),
)
_SAME_PERSON = 0.65
"""Cosine distance between the mean embeddings of one person in two scenes stays below this."""

_STEP_SECONDS = 2.0
"""Between the starts of two windows. The published pipeline takes 1 s and is twice as slow."""


_Networks = tuple[SegmentationNetwork, VoiceNetwork]


class WeSpeaker:
    """Tells speakers apart, also where they overlap; scenes of all recordings share its networks' batches.

    Parameters: `model` (a folder or repository with the network of voices), `segmentation` (the same for the network
    that tells who speaks when), `step` (seconds between the starts of two windows of 10 s), `batch` (how many windows
    a network sees at once).
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._voices = chosen_model(options, VOICES)
        self._segmentation = chosen_model(options, SEGMENTATION, "segmentation")
        self._step = FRAME_SAMPLES * max(1, round(options.number("step", _STEP_SECONDS) / FRAME_SECONDS))
        self._batch = max(1, int(options.number("batch", 8)))
        self._networks: _Networks | None = None

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        return info_of("wespeaker", Capability.DIARIZATION, f"1/{self._step}", self._voices, self._segmentation)

    @property
    def metric(self) -> CosineMetric:
        """Compares the mean embeddings of speakers."""
        return CosineMetric(_SAME_PERSON)

    def check(self) -> None:
        """Tell whether the weights are there.

        Raises:
            EngineError: `model_missing`.
        """
        for spec, file in ((self._voices, _VOICE_FILE), (self._segmentation, _SEGMENTATION_FILE)):
            folder = spec.folder(self._options.models)
            require_files(folder, (file,), Capability.DIARIZATION, "wespeaker", spec)

    def load(self) -> None:
        """Load the networks.

        Raises:
            EngineError: `model_missing` or `model_load_failed`.
        """
        self.check()
        with loading(self._voices):
            voices = VoiceNetwork(self._network(self._voices, _VOICE_FILE), self._batch)
            voices.try_out()
        with loading(self._segmentation):
            segmentation = SegmentationNetwork(self._network(self._segmentation, _SEGMENTATION_FILE), self._batch)
            segmentation.try_out()
        self._networks = segmentation, voices

    def run(self, batch: Sequence[DiarizationRequest]) -> Sequence[Diarization | EngineError]:
        """Diarize scenes, the windows of all of them together."""
        from threadpoolctl import threadpool_limits

        if self._networks is None:
            raise EngineError("load the diarizer before it is used", code="model_load_failed")
        networks = self._networks
        with threadpool_limits(limits=self._options.threads):
            return answered(batch, lambda requests: _diarize(networks, requests, self._step))

    def close(self) -> None:
        """Free the memory of the networks."""
        self._networks = None

    def _network(self, spec: ModelSpec, file: str) -> OnnxNetwork:
        return OnnxNetwork(spec.folder(self._options.models) / file, self._options.threads)


def _diarize(networks: _Networks, requests: Sequence[DiarizationRequest], step: int) -> list[Diarization]:
    segmentation, voices = networks
    windows = [cut(request.clip.samples, WINDOW_SAMPLES, step) for request in requests]
    activities = parted(segmentation.activity([one for some in windows for one in some]), windows)
    recordings = [(request.clip.samples, activity) for request, activity in zip(requests, activities, strict=True)]
    embedded = voices.voices(recordings, step)
    return [tell(*one, step) for one in zip(requests, activities, embedded, strict=True)]
