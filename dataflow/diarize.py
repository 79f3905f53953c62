from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from actors.contracts.audio import Clip, Span
from actors.contracts.diarization import Diarization, DiarizationRequest, SceneSpeaker, Turn
from actors.contracts.voices import VoiceSample, VoiceTraits
from cluster.ledger.records import PartId, Stage
from dataflow import artefacts, engines
from dataflow.context import FlowContext, JobView
from dataflow.engine_host import EngineHost, hosted
from dataflow.metering import measure, warm_up
from dataflow.records import Scene, SceneVoice, SceneVoices, to_json
from dataflow.scene_audio import load_clip
from dataflow.schema import SceneRow
from dataflow.stage import FlowStage

BATCH_SECONDS = 600.0
"""Audio that one batch of the diarizer may hold."""


class Diarize(FlowStage[SceneRow]):
    """Pool: who speaks when in a scene, how each voice sounds and how loud it is."""

    pool = "diarize"
    row_type = SceneRow
    blamed = Stage.DIARIZATION

    def __init__(self, context: FlowContext) -> None:
        super().__init__(context)
        if context.endless:
            warm_up()
        diarizer, analyser = engines.diarizer(context.plan), engines.voice_analyser(context.plan)
        self._infos = (diarizer.info, analyser.info)
        self._diarizer: EngineHost[DiarizationRequest, Diarization] = hosted(
            diarizer,
            context,
            budget=BATCH_SECONDS,
            cost=lambda request: request.clip.seconds,
        )
        self._analyser: EngineHost[VoiceSample, VoiceTraits] = hosted(
            analyser,
            context,
            budget=BATCH_SECONDS,
            cost=lambda sample: sum(clip.seconds for clip in sample.clips),
        )

    def process(self, row: SceneRow, view: JobView) -> Iterator[SceneRow]:
        """Diarize one scene; what fails leaves the scene without turns, not without words."""
        scene = row.scene
        key = artefacts.scene_voices(view, scene, *self._infos)
        self.parts.run(row.lease, PartId(Stage.DIARIZATION, row.index), key, lambda: self._analyse(view, scene))
        yield row

    def _analyse(self, view: JobView, scene: Scene) -> bytes:
        if not scene.speech:
            return to_json(SceneVoices((), ()))
        clip = load_clip(self.blobs, scene)
        people = (view.options.min_speakers, view.options.max_speakers)
        diarization = self._diarizer.ask(DiarizationRequest(clip, scene.speech, *people))
        voices = [self._voice(speaker, clip, diarization.turns) for speaker in diarization.speakers]
        return to_json(SceneVoices(diarization.turns, tuple(voices)))

    def _voice(self, speaker: SceneSpeaker, clip: Clip, turns: Sequence[Turn]) -> SceneVoice:
        clips = tuple(clip.cut(span) for span in speaks_alone(speaker.speaker, turns))
        traits = self._analyser.ask(VoiceSample(clips))
        heard = np.concatenate([one.samples for one in clips]) if clips else np.zeros(0, np.float32)
        return SceneVoice(speaker, traits, measure(heard, clip.rate))


def speaks_alone(speaker: int, turns: Sequence[Turn]) -> list[Span]:
    """Where a speaker speaks and nobody else does; sorted and disjoint."""
    spans = [Span(turn.start, turn.end) for turn in turns if turn.speaker == speaker]
    for other in (turn for turn in turns if turn.speaker != speaker):
        spans = [piece for span in spans for piece in _without(span, Span(other.start, other.end))]
    return sorted(spans)


def _without(span: Span, hole: Span) -> Iterator[Span]:
    if not span.overlap(hole):
        yield span
        return
    if span.start < hole.start:
        yield replace(span, end=hole.start)
    if hole.end < span.end:
        yield replace(span, start=hole.end)
