import json
from typing import Any

from cluster.ledger.records import JobStatus
from dataflow import artefacts, engines
from dataflow.assemble import flags_of
from dataflow.context import FlowContext, JobView
from dataflow.opened import drop_source
from dataflow.paces import PaceBook
from dataflow.records import Script, Timeline
from dataflow.report import script_document, stage_report, timing_report
from dataflow.schema import PassageRow
from dataflow.stored import Stored
from dataflow.wording import Wording, read_wording


class Reviews:
    """Brings translated languages before a person, where a job wants that."""

    def __init__(self, context: FlowContext) -> None:
        self._context = context
        self._stored = Stored(context.blobs)

    def wanted(self, row: PassageRow, view: JobView) -> bool:
        """Whether a passage must not be spoken yet. Where nobody speaks there is nothing to review."""
        waits = view.job.request.review and not view.job.reviewed
        return waits and bool(self._stored.script(row.script_key).utterances)

    def hold(self, row: PassageRow, view: JobView) -> None:
        """Store the draft of a language, and let the job wait once all its languages have one."""
        ledger, blobs = self._context.ledger, self._context.blobs
        wording = read_wording(ledger, self._stored, row.job_id, row.language, row.revision)
        document = self._draft(row, view, wording)
        key = artefacts.document(view, row.language, row.fence)
        blobs.put_bytes(key, json.dumps(document, ensure_ascii=False).encode())
        ledger.await_review(row.lease, row.language, key)
        if ledger.job(row.job_id).status is JobStatus.AWAITING_REVIEW:
            drop_source(view, self._context)

    def _draft(self, row: PassageRow, view: JobView, wording: Wording) -> dict[str, Any]:
        ledger, script = self._context.ledger, self._stored.script(row.script_key)
        timeline, casting = nothing_spoken(script, wording), self._stored.casting(row.casting_key)
        document = script_document(
            script,
            timeline,
            casting,
            wording,
            language=row.language,
            request=view.job.request,
            paces=PaceBook(self._context.blobs).pinned(view, row.script_key, row.language, casting),
            engines=engines.identities(self._context.plan, row.language, cloned=view.options.clone_voices),
            report={
                **timing_report(script, timeline),
                "loudness_source_lufs": None,
                "loudness_dub_lufs": None,
                "true_peak_dbtp": None,
                **stage_report(ledger.job(row.job_id), ledger.stages(row.job_id), row.language),
            },
        )
        return {**document, "draft": True}


def nothing_spoken(script: Script, wording: Wording) -> Timeline:
    """The timeline of a language before its first take, with what is known about its lines."""
    lines = wording.lines
    flags = {
        utterance.id: flags_of(
            utterance,
            lines[utterance.id].flags if utterance.id in lines else None,
            edited=utterance.id in wording.edits.texts,
        )
        for utterance in script.utterances
    }
    return Timeline((), (), 0.0, {utterance: marks for utterance, marks in flags.items() if marks}, script.seconds)
