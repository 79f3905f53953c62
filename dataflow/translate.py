from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from actors.contracts.engine import EngineError
from actors.contracts.translation import Line, TranslatedLine, Translation, TranslationRequest
from actors.languages import lookup
from cluster.ledger.records import PartId, Stage
from dataflow import artefacts, engines
from dataflow.budget import expected
from dataflow.context import FlowContext, JobView
from dataflow.engine_host import EngineHost, hosted
from dataflow.paces import PaceBook
from dataflow.parts import WHOLE_JOB, failure_of
from dataflow.records import DubbedLine, PassageLines, Script, Utterance, to_json
from dataflow.review import Reviews
from dataflow.schema import PassageRow
from dataflow.stage import FlowStage
from dataflow.stored import Stored

CONTEXT_LINES = 4
"""Lines before a passage that its translator may look at."""
BATCH_CHARACTERS = 20_000.0


class Translate(FlowStage[PassageRow]):
    """Pool: a passage in the target language."""

    pool = "translate"
    row_type = PassageRow
    blamed = Stage.TRANSLATION

    def __init__(self, context: FlowContext) -> None:
        super().__init__(context)
        engine = engines.translator(context.plan)
        self._info = engine.info
        self._pairs = engine.pairs()
        self._stored = Stored(self.blobs)
        self._reviews = Reviews(context)
        self._paces = PaceBook(self.blobs)
        self._engine: EngineHost[TranslationRequest, Translation] = hosted(
            engine,
            context,
            budget=BATCH_CHARACTERS,
            cost=lambda request: sum(len(line.text) for line in request.lines),
        )

    def process(self, row: PassageRow, view: JobView) -> Iterator[PassageRow]:
        """Translate one passage; a line that cannot be translated is left out, and keeps its original sound.

        Where a person is to review the job first, no passage goes on: the one that completes its language leaves a
        draft, and the last language lets the job wait.
        """
        requests = self._requests(row, view)
        decisive = [replace(request, document=()) for request in requests]
        key = artefacts.passage_lines(view, decisive, self._info)
        part = PartId(Stage.TRANSLATION, row.index, row.language)
        closes = self.parts.run(row.lease, part, key, lambda: to_json(PassageLines(tuple(self._lines(requests)))))
        if not self._reviews.wanted(row, view):
            yield replace(row, lines_key=key)
        elif closes:
            self._reviews.hold(row, view)

    def _requests(self, row: PassageRow, view: JobView) -> list[TranslationRequest]:
        """One for each stretch of a passage in one language; what is in the target language already stays as it is."""
        script: Script = self._stored.script(row.script_key)
        casting = self._stored.casting(row.casting_key)
        paces = self._paces.pinned(view, row.script_key, row.language, casting)
        characters = expected(script, row.language, paces)
        passage = range(row.first, row.last)
        stretches = groupby(passage, key=lambda i: self._language(script, script.utterances[i], row.language))
        return [
            self._request(script, list(members), language, row.language, view, characters=characters)
            for language, members in stretches
            if lookup(row.language, {language}) is None
        ]

    def _language(self, script: Script, utterance: Utterance, target: str) -> str:
        """The language of an utterance, where it can be translated from that or needs no translation."""
        own = utterance.language
        sources = {source for source, to in self._pairs if lookup(target, {to})}
        return own if own and (lookup(target, {own}) or lookup(own, sources)) else script.language

    def _request(
        self,
        script: Script,
        members: Sequence[int],
        language: str,
        target: str,
        view: JobView,
        *,
        characters: Mapping[str, int],
    ) -> TranslationRequest:
        before = script.utterances[max(0, members[0] - CONTEXT_LINES) : members[0]]
        return TranslationRequest(
            source_language=language,
            target_language=target,
            lines=tuple(
                Line(
                    id=utterance.id,
                    speaker=utterance.speaker,
                    text=utterance.text,
                    seconds=round(utterance.span.seconds, 3),
                    characters=characters[utterance.id],
                )
                for utterance in script.utterances[members[0] : members[-1] + 1]
            ),
            context=tuple(utterance.text for utterance in before),
            glossary=view.options.glossary,
            document=tuple(utterance.text for utterance in script.utterances),
        )

    def _lines(self, requests: Sequence[TranslationRequest]) -> Iterator[DubbedLine]:
        for request in requests:
            yield from self._translated(request)

    def _translated(self, request: TranslationRequest) -> Iterator[DubbedLine]:
        try:
            translated = self._engine.ask(request).lines
        except EngineError as error:
            if len(request.lines) == 1 or failure_of(error, Stage.TRANSLATION).code in WHOLE_JOB:
                raise
            translated = tuple(self._one_by_one(request))
        yield from (DubbedLine(line.id, line.text, line.concise, line.flags) for line in translated)

    def _one_by_one(self, request: TranslationRequest) -> Iterator[TranslatedLine]:
        """What of a passage can be translated, when the passage as a whole cannot."""
        outcomes = self._engine.ask_all([replace(request, lines=(line,)) for line in request.lines])
        if all(isinstance(outcome, EngineError) for outcome in outcomes):
            raise next(outcome for outcome in outcomes if isinstance(outcome, EngineError))
        for outcome in outcomes:
            if not isinstance(outcome, EngineError):
                yield from outcome.lines
