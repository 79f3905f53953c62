import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import langcodes
import structlog

from cluster import metrics
from cluster.errors import DubflowError
from cluster.ledger.records import Stage, StageStatus
from dataflow import artefacts, engines
from dataflow.bed import as_blocks
from dataflow.context import FlowContext, JobView
from dataflow.destination import Destination
from dataflow.media.decode import decode_audio
from dataflow.media.mux import mux
from dataflow.media.records import AudioTrack, MediaLimits, MuxPlan
from dataflow.metering import warm_up
from dataflow.opened import OpenedSource, drop_source, open_source
from dataflow.records import Script, Timeline
from dataflow.report import script_document, stage_report, timing_report
from dataflow.schema import LanguageRow, Row
from dataflow.stage import FlowStage
from dataflow.stored import Stored
from dataflow.subtitles import Cue, to_srt, to_vtt
from dataflow.track import DubbedTrack, TrackFormat, as_heard
from dataflow.wording import read_wording

log = structlog.get_logger()

KEPT_RATES = (32_000, 44_100, 48_000)
"""Hz at which a dub is made in the rate of its source; others become 48 kHz."""
BITS_A_CHANNEL = 80_000
ALMOST = 0.999
"""A track that exceeds the limit by less than a hundredth of a decibel is not made again."""


class Publish(FlowStage[LanguageRow]):
    """Pool: mixes and encodes a language's track, puts it beside the untouched picture, and publishes all files."""

    pool = "publish"
    row_type = LanguageRow
    blamed = Stage.COMBINATION

    def __init__(self, context: FlowContext) -> None:
        super().__init__(context)
        if context.endless:
            warm_up()
        self._stored = Stored(self.blobs)
        self._limits = MediaLimits.from_settings(context.settings)

    def process(self, row: LanguageRow, view: JobView) -> Iterator[Row]:
        """Make and publish one language; nothing follows."""
        script = self._stored.script(row.script_key)
        timeline = self._stored.get(Timeline, row.timeline_key)
        with TemporaryDirectory(dir=self.context.scratch) as folder:
            with self.step(row.lease, Stage.COMBINATION, row.language):
                source = open_source(view, self.context)
                dubbed = Path(folder) / f"dub{source.suffix}"
                measured = self._combine(source, row.language, script, timeline, dubbed)
            report = self._report(row, script, timeline, measured)
            texts = self._texts(row, view, script, timeline, report)
            self._replace(row, view, texts, dubbed, report)
        if self.ledger.job(row.job_id).status.terminal:
            drop_source(view, self.context)
        yield from ()

    def _combine(
        self, source: OpenedSource, language: str, script: Script, timeline: Timeline, output: Path
    ) -> dict[str, float | None]:
        """Write the dubbed file; a track that turns out too loud for the true-peak limit is made again, lower."""
        shape = track_format(source.track, timeline.seconds)
        plan = MuxPlan(
            source=source.path,
            output=output,
            rate=shape.rate,
            channels=shape.channels,
            samples=shape.samples,
            language=language,
            title=f"{langcodes.Language.get(language).display_name()} (dubbed)",
            bit_rate=BITS_A_CHANNEL * shape.channels,
            original=source.track.index,
            original_language=script.language or None,
        )
        gain = 1.0
        while True:
            with ExitStack() as opened:
                original = None
                if timeline.bed_gain or timeline.kept:
                    decoding = decode_audio(
                        source.path, source.track, self._limits, rate=shape.rate, channels=shape.channels
                    )
                    original = as_blocks(opened.enter_context(decoding))
                track = DubbedTrack(self.blobs, timeline, shape, original, gain)
                mux(plan, track, self._limits)
            if track.excess > ALMOST or not timeline.takes:
                return {
                    "loudness_source_lufs": _decibels(as_heard(script.lufs, shape.channels)),
                    "loudness_dub_lufs": _decibels(track.lufs),
                    "true_peak_dbtp": _decibels(track.dbtp),
                }
            gain *= track.excess

    def _report(
        self, row: LanguageRow, script: Script, timeline: Timeline, measured: dict[str, float | None]
    ) -> dict[str, Any]:
        stages = stage_report(self.ledger.job(row.job_id), self.ledger.stages(row.job_id), row.language)
        return {**timing_report(script, timeline), **measured, **stages}

    def _texts(
        self, row: LanguageRow, view: JobView, script: Script, timeline: Timeline, report: dict[str, Any]
    ) -> dict[str, str]:
        cues = [Cue(one.start, one.start + one.seconds, one.take.text) for one in timeline.takes]
        document = script_document(
            script,
            timeline,
            self._stored.casting(row.casting_key),
            read_wording(self.ledger, self._stored, row.job_id, row.language, row.revision),
            language=row.language,
            request=view.job.request,
            engines=engines.identities(
                self.context.plan,
                row.language,
                cloned=view.options.clone_voices,
                separated=bool(timeline.backgrounds),
            ),
            report=report,
        )
        return {
            ".srt": to_srt(cues),
            ".vtt": to_vtt(cues),
            ".json": json.dumps(document, ensure_ascii=False, indent=1) + "\n",
        }

    def _replace(
        self, row: LanguageRow, view: JobView, texts: dict[str, str], dubbed: Path, report: dict[str, Any]
    ) -> None:
        """Put the files to their destination, let the ledger change over to them, and remove the former ones."""
        destination = Destination(view.job.request, self.blobs, self.context.settings.s3_endpoint_url)
        (former,) = (output for output in self.ledger.outputs(row.job_id) if output.language == row.language)
        script_key = artefacts.document(view, row.language, row.fence)
        self.blobs.put_bytes(script_key, texts[".json"].encode())
        files = destination.put(row.language, row.revision, texts, dubbed)
        if not self.ledger.publish(row.lease, row.language, files, report, script=script_key):
            return
        metrics.OUTPUTS.add(status=StageStatus.COMPLETED.value, language=row.language)
        try:
            destination.remove(former.files.values(), files.values())
            if former.script not in {"", script_key}:
                self.blobs.delete(former.script)
        except DubflowError as error:
            log.warning("a former result is still there", job_id=row.job_id, error=error.message)


def track_format(track: AudioTrack, seconds: float) -> TrackFormat:
    """The shape of the dub: the source's rate where AAC and ears agree, mono only where the source is."""
    rate = track.rate if track.rate in KEPT_RATES else KEPT_RATES[-1]
    return TrackFormat(rate, track.heard_channels, max(1, round(seconds * rate)))


def _decibels(value: float | None) -> float | None:
    """Rounded for people; None for silence, which JSON has no number for."""
    return None if value is None or value == float("-inf") else round(value, 2)
