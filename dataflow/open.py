from collections.abc import Iterable, Iterator, Sequence
from math import inf

import numpy as np

from actors.contracts.audio import ANALYSIS_RATE, Samples, Span
from actors.speech_activity.spans import SpanTracker
from cluster import metrics
from cluster.errors import DubflowError, ErrorCode, LeaseLostError
from cluster.ledger.records import Lease, Stage
from dataflow import artefacts, engines
from dataflow.capacity import ANALYSIS, bulk_rows
from dataflow.context import FlowContext, JobView
from dataflow.lanes import BulkWindow
from dataflow.media.decode import decode_audio
from dataflow.media.records import DecodeSummary, MediaLimits
from dataflow.opened import OpenedSource, open_source
from dataflow.records import NOTHING_SAID, JobOptions, Scene, SceneList, from_json, to_json
from dataflow.scene_audio import store_clip
from dataflow.scene_sound import SceneSounds
from dataflow.scenes import CutScene, SceneCutter
from dataflow.schema import JobRow, SceneRow
from dataflow.stage import FlowStage
from dataflow.work import current


class Open(FlowStage[JobRow]):
    """Pool: fetches and checks a source, decodes its audio and cuts it into scenes, in constant memory."""

    pool = "open"
    row_type = JobRow
    blamed = Stage.VALIDATION

    def __init__(self, context: FlowContext) -> None:
        super().__init__(context)
        self._activity = engines.speech_activity(context.plan)
        self._activity.load()
        self._limits = MediaLimits.from_settings(context.settings)
        separator = engines.separator(context.plan)
        self._sounds = SceneSounds(self.blobs, separator, self._limits) if separator else None
        rows = max(1, bulk_rows(context.plan, ANALYSIS) // context.plan.pool(self.pool).actors)
        self._window = BulkWindow(context.ledger, context.owner, Stage.TRANSCRIPTION, rows)

    def process(self, row: JobRow, view: JobView) -> Iterator[SceneRow]:
        """Give the scenes of a source, the first ones while later ones are still being decoded."""
        with self.step(row.lease, Stage.VALIDATION):
            source = open_source(view, self.context)
        sounds = self._sounds if view.options.keep_background else None
        if sounds is None:
            self.skip(row.lease, Stage.SEPARATION)
        with self.step(row.lease, Stage.SEGMENTATION):
            key = artefacts.scene_list(view, self._activity.info, self.context.settings.max_scene_seconds)
            at_hand = self._scenes_at_hand(key)
            scenes: Iterable[Scene] = at_hand if at_hand is not None else self._cut(source, view, key)
            if sounds is None:
                yield from self._emit(row.lease, key, scenes, _ANALYSIS)
            else:
                separated = sounds.kept(scenes, source, view)
                yield from self._emit(row.lease, key, separated, (Stage.SEPARATION, *_ANALYSIS))

    def _emit(self, lease: Lease, key: str, scenes: Iterable[Scene], stages: Sequence[Stage]) -> Iterator[SceneRow]:
        """Hold the last scene back until the ledger knows how many there are: it may then close the sets."""
        count, held = 0, NOTHING_SAID
        for scene in scenes:
            if count:
                self._enter_window(lease)
                yield SceneRow.of(lease, held)
            count, held = count + 1, scene
        self.ledger.record_media_seconds(lease, from_json(SceneList, self.blobs.get_bytes(key)).seconds)
        for stage in stages:
            self.ledger.expect(lease, stage, "", max(1, count))
        self._enter_window(lease)
        yield SceneRow.of(lease, held)

    def _enter_window(self, lease: Lease) -> None:
        if self.ledger.draining(lease.owner):
            raise LeaseLostError("this flow is being drained")
        if self.context.endless and not current().urgent:
            self._window.enter(lease, self.patience(lease))

    def _scenes_at_hand(self, key: str) -> tuple[Scene, ...] | None:
        if not self.blobs.exists(key):
            return None
        scenes = from_json(SceneList, self.blobs.get_bytes(key)).scenes
        return scenes if all(self.blobs.exists(scene.audio_key) for scene in scenes) else None

    def _cut(self, source: OpenedSource, view: JobView, key: str) -> Iterator[Scene]:
        scenes: list[Scene] = []
        with decode_audio(source.path, source.track, self._limits, rate=ANALYSIS_RATE) as decoding:
            for cut in self._cut_stream(decoding, view.options):
                scenes.append(self._store(len(scenes), cut, view))
                yield scenes[-1]
            summary = decoding.summary
        _require_whole(summary)
        metrics.MEDIA_SECONDS.add(summary.seconds)
        self.blobs.put_bytes(key, to_json(SceneList(tuple(scenes), summary.seconds, _warnings(summary))))

    def _cut_stream(self, decoding: Iterable[Samples], options: JobOptions) -> Iterator[CutScene]:
        activity, tracker = self._activity.stream(), SpanTracker()
        cutter = SceneCutter(self.context.settings.max_scene_seconds)
        wanted = Span(options.start, inf if options.end is None else options.end)
        samples_seen = 0
        for samples in decoding:
            samples_seen += len(samples)
            ended = tracker.push(activity.push(samples))
            yield from cutter.push(samples, _within(ended, wanted), tracker.settled, tracker.open_since)
        ended = tracker.push(activity.flush()) + tracker.flush(samples_seen / ANALYSIS_RATE)
        yield from cutter.push(_NO_SAMPLES, _within(ended, wanted), samples_seen / ANALYSIS_RATE)
        yield from cutter.flush()

    def _store(self, index: int, cut: CutScene, view: JobView) -> Scene:
        key, digest = store_clip(self.blobs, view, cut.clip)
        return Scene(index, cut.clip.span, key, digest, cut.speech)


_ANALYSIS = (Stage.DIARIZATION, Stage.TRANSCRIPTION)
"""What every scene goes through."""
_NO_SAMPLES = np.zeros(0, np.float32)


def _within(speech: Sequence[Span], wanted: Span) -> list[Span]:
    """The speech of the stretch that is to be dubbed."""
    return [
        Span(max(span.start, wanted.start), min(span.end, wanted.end)) for span in speech if span.overlap(wanted) > 0
    ]


def _require_whole(summary: DecodeSummary) -> None:
    if summary.truncated:
        raise DubflowError(
            ErrorCode.TRUNCATED_MEDIA,
            f"the sound ends after {summary.seconds:.1f} s although the file announces "
            f"{summary.declared_seconds or 0.0:.1f} s; fetch or export the file again",
        )


def _warnings(summary: DecodeSummary) -> tuple[tuple[str, str], ...]:
    if not summary.corrupt_packets:
        return ()
    return (("decode_errors", f"{summary.corrupt_packets} damaged packets of sound were replaced by silence"),)
