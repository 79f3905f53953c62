from collections.abc import Iterator
from dataclasses import replace

from actors.contracts.transcription import Transcription, TranscriptionRequest
from cluster.ledger.records import PartId, Stage
from dataflow import artefacts, engines
from dataflow.context import FlowContext, JobView
from dataflow.engine_host import EngineHost, hosted
from dataflow.records import Scene, SceneWords, to_json
from dataflow.scene_audio import load_clip
from dataflow.schema import SceneRow
from dataflow.stage import FlowStage

BATCH_SECONDS = 480.0
"""Audio that one batch of the recogniser may hold."""


class Transcribe(FlowStage[SceneRow]):
    """Pool: what is said in a scene."""

    pool = "transcribe"
    row_type = SceneRow
    blamed = Stage.TRANSCRIPTION

    def __init__(self, context: FlowContext) -> None:
        super().__init__(context)
        engine = engines.transcriber(context.plan)
        self._info = engine.info
        self._engine: EngineHost[TranscriptionRequest, Transcription] = hosted(
            engine,
            context,
            budget=BATCH_SECONDS,
            cost=lambda request: sum(span.seconds for span in request.speech),
        )

    def process(self, row: SceneRow, view: JobView) -> Iterator[SceneRow]:
        """Transcribe one scene, and mark the row that completes the source."""
        scene = row.scene
        key = artefacts.scene_words(view, scene, self._info)
        part = PartId(Stage.TRANSCRIPTION, row.index)
        yield replace(row, closes=self.parts.run(row.lease, part, key, lambda: self._transcribe(view, scene)))

    def _transcribe(self, view: JobView, scene: Scene) -> bytes:
        if not scene.speech:
            return to_json(SceneWords((), None, 0.0))
        terms = tuple(source for source, _ in view.options.glossary)
        language = view.job.request.source_language
        request = TranscriptionRequest(load_clip(self.blobs, scene), scene.speech, language, terms)
        said = self._engine.ask(request)
        return to_json(SceneWords(said.words, said.language, said.language_probability, said.dropped))
