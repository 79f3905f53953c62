from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from actors.contracts.audio import Span
from actors.contracts.engine import EngineError
from actors.contracts.speech import Speech, SpeechRequest
from cluster.ledger.records import PartId, Stage
from dataflow import artefacts, engines, flac, timing
from dataflow.context import FlowContext, JobView
from dataflow.engine_host import EngineHost
from dataflow.metering import TruePeakMeter, measure
from dataflow.records import DubbedLine, PassageLines, PassageTakes, Take, Utterance, to_json
from dataflow.schema import PassageRow
from dataflow.stage import FlowStage
from dataflow.stored import Stored
from dataflow.wording import Wording, edits_of

BATCH_CHARACTERS = 4000.0
RATE_WORTH_CHANGING = 0.02
"""A take that is so little off its rate is stretched instead of spoken again."""


@dataclass(frozen=True, slots=True)
class _Order:
    """One line to be spoken, and the time it may take."""

    utterance: Utterance
    line: DubbedLine
    voice: str
    language: str
    slot: Span
    window: Span

    def request(self, *, concise: bool = False, rate: float = 1.0) -> SpeechRequest:
        text = self.line.concise if concise and self.line.concise else self.line.text
        return SpeechRequest(text, self.language, self.voice, rate)


class Synthesize(FlowStage[PassageRow]):
    """Pool: a passage spoken, every line in its speaker's voice and at a rate that suits its slot."""

    pool = "synthesize"
    row_type = PassageRow
    blamed = Stage.SYNTHESIS

    def __init__(self, context: FlowContext) -> None:
        super().__init__(context)
        engine = engines.synthesizer(context.plan)
        self._info, self._rates = engine.info, engine.rates
        self._stored = Stored(self.blobs)
        self._engine: EngineHost[SpeechRequest, Speech] = EngineHost(
            engine,
            budget=BATCH_CHARACTERS,
            prepare=context.provider(engine.info),
            warm=context.endless,
            cost=lambda request: len(request.text),
        )

    def process(self, row: PassageRow, view: JobView) -> Iterator[PassageRow]:
        """Speak one passage, and mark the row that completes its language."""
        orders = self._orders(row)
        key = artefacts.passage_takes(view, orders, self._info)
        part = PartId(Stage.SYNTHESIS, row.index, row.language)
        closes = self.parts.run(row.lease, part, key, lambda: to_json(PassageTakes(self._takes(view, orders))))
        yield replace(row, closes=closes)

    def _orders(self, row: PassageRow) -> list[_Order]:
        script, voices = self._stored.script(row.script_key), self._stored.casting(row.casting_key).voices
        lines = self._stored.find(PassageLines, row.lines_key)
        machine = {line.utterance_id: line for line in lines.lines} if lines else {}
        spoken = Wording(machine, edits_of(self.ledger, row.job_id, row.language, row.revision)).lines
        slots = [timing.Line(utterance.speaker, utterance.span, 0.0) for utterance in script.utterances]
        windows = timing.windows(slots, script.seconds)
        return [
            _Order(utterance, spoken[utterance.id], voices[utterance.speaker], row.language, utterance.span, window)
            for utterance, window in list(zip(script.utterances, windows, strict=True))[row.first : row.last]
            if utterance.id in spoken
        ]

    def _takes(self, view: JobView, orders: Sequence[_Order]) -> tuple[Take, ...]:
        """The takes of a passage; those that exist already are not spoken again."""
        keys = {order.utterance.id: artefacts.take(view, order, self._info) for order in orders}
        takes = {order.utterance.id: self._stored.find(Take, keys[order.utterance.id]) for order in orders}
        missing = [order for order in orders if takes[order.utterance.id] is None]
        for order, take in zip(missing, self._speak(view, missing), strict=True):
            if take is not None:
                self.blobs.put_bytes(keys[order.utterance.id], to_json(take))
            takes[order.utterance.id] = take
        return tuple(take for take in takes.values() if take is not None)

    def _speak(self, view: JobView, orders: Sequence[_Order]) -> Iterator[Take | None]:
        """First at the voice's natural rate; then again where the line needs another rate or its shorter text."""
        natural = self._engine.ask_all([order.request() for order in orders])
        if natural and all(isinstance(speech, EngineError) for speech in natural):
            raise next(speech for speech in natural if isinstance(speech, EngineError))
        for order, speech in zip(orders, natural, strict=True):
            yield None if isinstance(speech, EngineError) else self._fitted(view, order, speech)

    def _fitted(self, view: JobView, order: _Order, speech: Speech) -> Take:
        concise = False
        if order.line.concise and timing.rate_for(speech.seconds, order.slot, order.window) > timing.FREE_RATE:
            concise, speech = True, self._engine.ask(order.request(concise=True))
        natural_seconds = speech.seconds
        wanted = timing.rate_for(natural_seconds, order.slot, order.window)
        rate = min(max(wanted, self._rates[0]), self._rates[1])
        if abs(rate - 1) > RATE_WORTH_CHANGING:
            speech = self._engine.ask(order.request(concise=concise, rate=rate))
        return self._keep(view, order.request(concise=concise, rate=rate), order, speech, natural_seconds)

    def _keep(
        self, view: JobView, request: SpeechRequest, order: _Order, speech: Speech, natural_seconds: float
    ) -> Take:
        key = artefacts.spoken(view, request, self._info)
        self.blobs.put_bytes(key, flac.encode(speech.samples, speech.sample_rate))
        peak = TruePeakMeter()
        peak.push(speech.samples)
        return Take(
            utterance_id=order.utterance.id,
            text=request.text,
            voice=request.voice,
            audio_key=key,
            sample_rate=speech.sample_rate,
            samples=len(speech.samples),
            natural_seconds=natural_seconds,
            level=measure(speech.samples, speech.sample_rate),
            peak=peak.peak,
            flags=order.line.flags,
        )
