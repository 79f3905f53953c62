from collections.abc import Iterator

from actors.contracts.engine import EngineError
from actors.contracts.separation import Background, SeparationRequest
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.records import PartId, Stage
from dataflow import artefacts, engines, flac
from dataflow.backgrounds import with_surroundings
from dataflow.context import FlowContext, JobView
from dataflow.engine_host import EngineHost, hosted
from dataflow.parts import failure_of
from dataflow.records import Scene
from dataflow.scene_sound import as_stereo
from dataflow.schema import SceneRow
from dataflow.stage import FlowStage

BATCH_SECONDS = 240.0
"""Sound that one batch of the separator may hold."""

_COSTS_ONLY_MUSIC = frozenset({ErrorCode.MODEL_MISSING, ErrorCode.MODEL_LOAD_FAILED, ErrorCode.LICENCE_REFUSED})
"""Elsewhere such a thing costs the job; here its dub is only poorer."""


class Separate(FlowStage[SceneRow]):
    """Pool: takes the voices out of a scene, for jobs that keep the background."""

    pool = "separate"
    row_type = SceneRow
    blamed = Stage.SEPARATION

    def __init__(self, context: FlowContext) -> None:
        super().__init__(context)
        engine = engines.separator(context.plan)
        if engine is None:
            raise ValueError("a plan without a separator has no such stage")
        self._info = engine.info
        self._rate = engine.rate
        # Few jobs may want it, so that it is loaded when one does.
        self._engine: EngineHost[SeparationRequest, Background] = hosted(
            engine,
            context,
            budget=BATCH_SECONDS,
            cost=lambda request: len(request.sound) / engine.rate,
            early=False,
        )

    def occupies(self, view: JobView) -> bool:
        """Only rows that are to be separated."""
        return view.options.keep_background

    def process(self, row: SceneRow, view: JobView) -> Iterator[SceneRow]:
        """Separate one scene; where that fails, the original is heard at a low level under its dub."""
        if view.options.keep_background:
            part, scene = PartId(Stage.SEPARATION, row.index), row.scene
            if scene.speech:
                key = artefacts.scene_background(view, scene, self._info)
                self.parts.run(row.lease, part, key, lambda: self._background(view, scene))
                self.blobs.delete(artefacts.scene_sound(view, scene, self._rate))
            else:
                self.ledger.finish(row.lease, part, "", seconds=0.0)
        yield row

    def _background(self, view: JobView, scene: Scene) -> bytes:
        sound, _ = flac.decode(self.blobs.get_bytes(artefacts.scene_sound(view, scene, self._rate)))
        left = self._ask(SeparationRequest(as_stereo(sound), with_surroundings(scene.span).start)).sound
        return flac.encode(left if sound.ndim > 1 else left.mean(axis=1), self._rate)

    def _ask(self, request: SeparationRequest) -> Background:
        try:
            return self._engine.ask(request)
        except (EngineError, DubflowError) as error:
            if error.code not in _COSTS_ONLY_MUSIC:
                raise
            raise EngineError(failure_of(error, Stage.SEPARATION).message) from error
