from collections.abc import Collection, Iterator, Sequence

from actors.contracts.audio import Span
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.records import Stage, StageStatus
from dataflow import artefacts, engines
from dataflow.backgrounds import Scenery, place_backgrounds
from dataflow.context import FlowContext, JobView
from dataflow.loudness import MOST_LIMITING, TAKE_CEILING, combine, lufs
from dataflow.paces import PaceBook
from dataflow.records import PassageTakes, PlacedTake, SceneList, Script, Take, Timeline, Utterance, to_json
from dataflow.schema import LanguageRow, PassageRow
from dataflow.stage import FlowStage
from dataflow.stored import Stored
from dataflow.timing import Line, place
from dataflow.wording import EDITED, edits_of

BED_GAIN = 10 ** (-18 / 20)
"""The original under the dub: audible as a room, not as a second speaker."""
LOW_CONFIDENCE = 0.45
"""Below this mean word probability a line is marked for a second look."""


class Assemble(FlowStage[PassageRow]):
    """Join: the passage that completes a language gives the plan of its track, all other passages give nothing."""

    row_type = PassageRow
    blamed = Stage.ASSEMBLY

    def __init__(self, context: FlowContext) -> None:
        super().__init__(context)
        self._stored = Stored(self.blobs)
        self._activity = engines.speech_activity(context.plan)
        self._separates = engines.separator(context.plan) is not None
        self._speakers, self._paces = engines.speakers(context.plan), PaceBook(self.blobs)

    def process(self, row: PassageRow, view: JobView) -> Iterator[LanguageRow]:
        """Place all takes of a language once the last passage is over, however often it is asked."""
        if not row.closes:
            return
        with self.step(row.lease, Stage.ASSEMBLY, row.language):
            script = self._stored.script(row.script_key)
            keys = self._finished_passages(row, script)
            takes = {take.utterance_id: take for key in keys for take in self._stored.get(PassageTakes, key).takes}
            edited = edits_of(self.ledger, row.job_id, row.language, row.revision).texts.keys()
            made = self._backgrounds(row, view)
            timeline_key = artefacts.timeline(view, row.script_key, keys, sorted(edited), made)
            scenery = None if made is None else self._scenery(view, made)
            timeline = plan_timeline(script, takes, view, edited, scenery)
            self.blobs.put_bytes(timeline_key, to_json(timeline))
            speaker = self._speakers.of(row.language, cloned=view.options.clone_voices)
            casting = self._stored.casting(row.casting_key)
            self._paces.learn(view, row.language, casting, speaker.info, timeline)
            yield LanguageRow(
                job_id=row.job_id,
                owner=row.owner,
                fence=row.fence,
                language=row.language,
                revision=row.revision,
                script_key=row.script_key,
                casting_key=row.casting_key,
                timeline_key=timeline_key,
            )

    def _finished_passages(self, row: PassageRow, script: Script) -> list[str]:
        parts = self.ledger.parts(row.job_id, Stage.SYNTHESIS, row.language)
        finished = [part.key for part in parts if part.status is StageStatus.COMPLETED]
        failures = [part.failure for part in parts if part.failure]
        if script.utterances and not finished:
            if failures:
                raise DubflowError(failures[0].code, failures[0].message)
            raise DubflowError(ErrorCode.ENGINE_FAILED, f"no line could be spoken in {row.language}")
        return finished

    def _backgrounds(self, row: PassageRow, view: JobView) -> dict[int, str] | None:
        """The scenes whose voices could be taken away; None where that was not tried."""
        if not (self._separates and view.options.keep_background):
            return None
        parts = self.ledger.parts(row.job_id, Stage.SEPARATION)
        failures = [part.failure for part in parts if part.failure]
        if failures:
            message = f"in {len(failures)} of {len(parts)} scenes music and effects are low: {failures[0].message}"
            self.ledger.warn(row.lease, "background_low", message)
        return {part.id.index: part.key for part in parts if part.status is StageStatus.COMPLETED and part.key}

    def _scenery(self, view: JobView, made: dict[int, str]) -> Scenery:
        key = artefacts.scene_list(view, self._activity.info, self.context.settings.max_scene_seconds)
        scenes = self._stored.get(SceneList, key)
        return place_backgrounds(scenes.scenes, made, scenes.seconds)


def plan_timeline(
    script: Script,
    takes: dict[str, Take],
    view: JobView,
    edited: Collection[str] = (),
    scenery: Scenery | None = None,
) -> Timeline:
    """Where and how loud every take plays, where the original is kept, and where a background is heard instead.

    Args:
        script: The utterances.
        takes: By utterance id; utterances without one keep their original sound.
        view: What the job asks for.
        edited: Utterances whose text people have written.
        scenery: The scenes without their voices, where that was tried; else the whole original is heard at one level.
    """
    spoken = [utterance for utterance in script.utterances if utterance.id in takes]
    lines = [Line(u.speaker, u.span, takes[u.id].natural_seconds) for u in spoken]
    placements = place(lines, script.seconds)
    gains = _gains(script, takes)
    flags = {
        u.id: flags_of(u, takes[u.id].flags if u.id in takes else None, edited=u.id in edited)
        for u in script.utterances
    }
    for utterance, placed in zip(spoken, placements, strict=True):
        flags[utterance.id] += ("overflow",) if placed.overflow else ()
    placed_takes = [
        PlacedTake(takes[u.id], placed.start, placed.seconds, placed.rate, gains[u.speaker])
        for u, placed in zip(spoken, placements, strict=True)
    ]
    return Timeline(
        takes=tuple(sorted(placed_takes, key=lambda placed: placed.start)),
        kept=merge([*kept_spans(script, takes, view), *(scenery.kept if scenery else ())]),
        bed_gain=BED_GAIN if view.options.keep_background else 0.0,
        flags={utterance_id: marks for utterance_id, marks in flags.items() if marks},
        seconds=script.seconds,
        backgrounds=scenery.backgrounds if scenery else (),
    )


def flags_of(utterance: Utterance, spoken: tuple[str, ...] | None, *, edited: bool) -> tuple[str, ...]:
    """What is special about a line, before it is placed; `spoken` are the flags of what is said, None for nothing."""
    marks = spoken if spoken is not None else ("kept_original", *((EDITED,) if edited else ()))
    return (*marks, *(("low_confidence",) if utterance.probability < LOW_CONFIDENCE else ()))


def kept_spans(script: Script, takes: dict[str, Take], view: JobView) -> tuple[Span, ...]:
    """Where the original is heard as it was: all of it without speech, what is not to be dubbed, and failed lines."""
    if not script.utterances:
        return (Span(0.0, script.seconds),)
    last = script.seconds if view.options.end is None else min(view.options.end, script.seconds)
    spans = [
        Span(0.0, min(view.options.start, script.seconds)),
        *(utterance.span for utterance in script.utterances if utterance.id not in takes),
        *script.lost,
        Span(last, max(last, script.seconds)),
    ]
    return merge([span for span in spans if span.seconds > 0])


def merge(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The same time as sorted, disjoint spans."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


def _gains(script: Script, takes: dict[str, Take]) -> dict[str, float]:
    """Linear gain of each speaker's dub: as loud as the speaker was, as far as the limiter may go."""
    gains = {}
    for speaker in script.speakers:
        own = [takes[u.id] for u in script.utterances if u.speaker == speaker.id and u.id in takes]
        level = combine(take.level for take in own)
        wanted = speaker.lufs if speaker.lufs is not None else script.lufs
        gain = 10 ** ((wanted - lufs(level.power)) / 20) if wanted is not None and level.blocks else 1.0
        peak = max((take.peak for take in own), default=0.0)
        gains[speaker.id] = min(gain, MOST_LIMITING * TAKE_CEILING / peak) if peak > 0 else gain
    return gains
