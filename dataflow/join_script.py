from collections.abc import Iterator, Sequence

from actors.diarization.linking import link
from actors.languages import lookup
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.records import Failure, Output, Part, Stage, StageStatus
from dataflow import artefacts, engines
from dataflow.capacity import SPEECH, bulk_rows
from dataflow.casting import Caster
from dataflow.context import FlowContext, JobView
from dataflow.lanes import BulkWindow
from dataflow.own_voices import OwnVoices
from dataflow.paces import PaceBook
from dataflow.passages import cut_into_passages
from dataflow.records import NOTHING_SAID, Casting, HeardScenes, SceneList, SceneVoices, SceneWords, Script, to_json
from dataflow.schema import PassageRow, SceneRow
from dataflow.script import AnalysedScene, SpeakerLabels, build_script
from dataflow.series import SeriesPeople
from dataflow.stage import FlowStage
from dataflow.stored import Stored


class JoinScript(FlowStage[SceneRow]):
    """Join: the scene that completes a source gives the passages of its script, all other scenes give nothing."""

    row_type = SceneRow
    blamed = Stage.GENDER_DETECTION

    def __init__(self, context: FlowContext) -> None:
        super().__init__(context)
        self._stored = Stored(self.blobs)
        self._activity = engines.speech_activity(context.plan)
        self._diarizer = engines.diarizer(context.plan)
        self._analyser = engines.voice_analyser(context.plan)
        self._translator = engines.translator(context.plan)
        self._speakers = engines.speakers(context.plan)
        self._people, self._own, self._caster = SeriesPeople(context), OwnVoices(context), Caster(context)
        self._paces = PaceBook(self.blobs)
        self._window = BulkWindow(context.ledger, context.owner, Stage.SYNTHESIS, bulk_rows(context.plan, SPEECH))

    def process(self, row: SceneRow, view: JobView) -> Iterator[PassageRow]:
        """Build the script once the last scene is over, however often it is asked."""
        if not row.closes:
            return
        with self.step(row.lease, Stage.GENDER_DETECTION):
            key, script = self._script(row, view)
            scenes = self._heard_scenes(row, view)
            met = self._people.meet(row.lease, view, key, script, scenes)
            languages = [output.language for output in self._to_make(row)]
            own = self._own.of(row.lease, view, script, scenes, met=met, languages=languages)
        for code, message in script.warnings:
            self.ledger.warn(row.lease, code, message)
        for output in self._to_make(row):
            failure = self._obstacle(script, output.language)
            if failure:
                self.ledger.fail_output(row.lease, output.language, failure)
                continue
            with self.step(row.lease, Stage.VOICE_ASSIGNMENT, output.language):
                casting = self._caster.cast(row.lease, view, output.language, script, met=met, own=own)
            yield from self._passages(row, view, output, key, script, casting=casting)

    def _to_make(self, row: SceneRow) -> list[Output]:
        return [output for output in self.ledger.outputs(row.job_id) if not output.status.terminal]

    def _script(self, row: SceneRow, view: JobView) -> tuple[str, Script]:
        voices = self.ledger.parts(row.job_id, Stage.DIARIZATION)
        words = self.ledger.parts(row.job_id, Stage.TRANSCRIPTION)
        if words and all(part.failure for part in words):
            raise _as_error(words[0])
        made = [(_made(voice), _made(word)) for voice, word in zip(voices, words, strict=True)]
        key = artefacts.script(view, made)
        script = self._stored.find(Script, key)
        if script is None:
            script = self._build(view, made, _loss(words, "transcribed") + _loss(voices, "told apart by speaker"))
            self.blobs.put_bytes(key, to_json(script))
        return key, script

    def _build(self, view: JobView, made: Sequence[tuple[str, str]], losses: tuple[tuple[str, str], ...]) -> Script:
        scene_list = self._scene_list(view)
        scenes = [
            AnalysedScene(i, scene.speech, self._stored.find(SceneVoices, voices), self._stored.find(SceneWords, words))
            for i, (scene, (voices, words)) in enumerate(zip(scene_list.scenes or (NOTHING_SAID,), made, strict=True))
        ]
        return build_script(
            scenes,
            self._link(scenes, view),
            self._analyser.combine,
            language=view.job.request.source_language,
            seconds=scene_list.seconds,
            warnings=scene_list.warnings + losses,
        )

    def _link(self, scenes: Sequence[AnalysedScene], view: JobView) -> SpeakerLabels:
        heard = [tuple(voice.speaker for voice in scene.voices.voices) if scene.voices else () for scene in scenes]
        options = view.options
        labels = link(heard, self._diarizer.metric, options.min_speakers, options.max_speakers)
        return {
            (scene.index, speaker.speaker): label
            for scene, speakers, own in zip(scenes, heard, labels, strict=True)
            for speaker, label in zip(speakers, own, strict=True)
        }

    def _heard_scenes(self, row: SceneRow, view: JobView) -> HeardScenes:
        """The scenes in which voices were told apart, by index, where it matters whose they are."""
        if not (view.options.clone_voices or view.options.series):
            return {}
        parts = self.ledger.parts(row.job_id, Stage.DIARIZATION)
        heard = [self._stored.find(SceneVoices, _made(part)) for part in parts]
        scenes = self._scene_list(view).scenes
        return {scene.index: (scene, voices) for scene, voices in zip(scenes, heard, strict=False) if voices}

    def _scene_list(self, view: JobView) -> SceneList:
        key = artefacts.scene_list(view, self._activity.info, self.context.settings.max_scene_seconds)
        return self._stored.get(SceneList, key)

    def _obstacle(self, script: Script, language: str) -> Failure | None:
        """Why a script cannot be dubbed into a language, now that its own language is known."""
        if not script.utterances:
            return None
        pairs = self._translator.pairs()
        source = lookup(script.language, {source for source, _ in pairs})
        targets = {target for known, target in pairs if known == source}
        if lookup(language, {script.language}):
            message = f"the source already speaks {language}; choose another target language"
        elif lookup(language, targets) is None:
            known = ", ".join(sorted(targets)) or "nothing"
            message = f"{self._translator.info.name} cannot translate {script.language} to {language}, only to {known}"
        elif not self._speakers.speak(language):
            message = f"there is no voice for {language} in {self._speakers.names}"
        else:
            return None
        return Failure(ErrorCode.UNSUPPORTED_LANGUAGE, message, Stage.TRANSLATION)

    def _passages(
        self, row: SceneRow, view: JobView, output: Output, script_key: str, script: Script, *, casting: Casting
    ) -> Iterator[PassageRow]:
        language = output.language
        engine = self._speakers.of(language, cloned=view.options.clone_voices)
        casting_key = artefacts.casting(view, script_key, language, engine.info, casting)
        self.blobs.put_bytes(casting_key, to_json(casting))
        self._paces.pin(view, script_key, language, casting, engine.info)
        passages = cut_into_passages(script.utterances)
        for stage in (Stage.TRANSLATION, Stage.SYNTHESIS):
            self.ledger.expect(row.lease, stage, language, len(passages))
        for passage in passages:
            if self.context.endless and not view.urgent:
                self._window.enter(row.lease, self.patience(row.lease))
            yield PassageRow(
                job_id=row.job_id,
                owner=row.owner,
                fence=row.fence,
                language=language,
                revision=output.revision,
                index=passage.index,
                first=passage.first,
                last=passage.last,
                script_key=script_key,
                casting_key=casting_key,
            )


def _made(part: Part) -> str:
    return part.key if part.status is StageStatus.COMPLETED else ""


def _as_error(part: Part) -> DubflowError:
    failure = part.failure or Failure(ErrorCode.ENGINE_FAILED, "no scene could be transcribed")
    return DubflowError(failure.code, failure.message)


def _loss(parts: Sequence[Part], done: str) -> tuple[tuple[str, str], ...]:
    failures = [part.failure for part in parts if part.failure]
    if not failures:
        return ()
    return ((failures[0].code, f"{len(failures)} of {len(parts)} scenes could not be {done}: {failures[0].message}"),)
