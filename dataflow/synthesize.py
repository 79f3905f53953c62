from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from actors.contracts.audio import Clip, Span
from actors.contracts.engine import EngineError
from actors.contracts.speech import Speech, SpeechRequest, Synthesizer
from cluster.ledger.records import PartId, Stage
from dataflow import artefacts, engines, flac, timing
from dataflow.context import FlowContext, JobView
from dataflow.engine_host import EngineHost, hosted
from dataflow.metering import TruePeakMeter, measure, warm_up
from dataflow.records import Casting, DubbedLine, PassageLines, PassageTakes, Take, Utterance, to_json
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

    def request(self, reference: Clip | None) -> SpeechRequest:
        return SpeechRequest(self.line.text, self.language, self.voice, reference=reference)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A line as it was read, and how long its text takes at the voice's natural rate."""

    order: _Order
    request: SpeechRequest
    speech: Speech
    natural_seconds: float

    @property
    def wanted_rate(self) -> float:
        return timing.rate_for(self.natural_seconds, self.order.slot, self.order.window)


class Synthesize(FlowStage[PassageRow]):
    """Pool: a passage spoken, every line in its speaker's voice and at a rate that suits its slot."""

    pool = "synthesize"
    row_type = PassageRow
    blamed = Stage.SYNTHESIS

    def __init__(self, context: FlowContext) -> None:
        super().__init__(context)
        if context.endless:
            warm_up()
        self._stored = Stored(self.blobs)
        self._speakers = engines.speakers(context.plan)
        self._studios = {engine.info.name: _Studio(engine, context) for engine in self._speakers.engines}

    def process(self, row: PassageRow, view: JobView) -> Iterator[PassageRow]:
        """Speak one passage, and mark the row that completes its language."""
        engine = self._speakers.of(row.language, cloned=view.options.clone_voices)
        studio, casting = self._studios[engine.info.name], self._stored.casting(row.casting_key)
        orders = self._orders(row, casting)
        key = artefacts.passage_takes(view, orders, engine.info)
        part = PartId(Stage.SYNTHESIS, row.index, row.language)

        def speak() -> bytes:
            return to_json(PassageTakes(studio.takes(view, orders, casting.references)))

        yield replace(row, closes=self.parts.run(row.lease, part, key, speak))

    def _orders(self, row: PassageRow, casting: Casting) -> list[_Order]:
        script, voices = self._stored.script(row.script_key), casting.voices
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


class _Studio:
    """One engine at work, for the languages that it speaks."""

    def __init__(self, engine: Synthesizer, context: FlowContext) -> None:
        self._info, self._rates = engine.info, engine.rates
        self._blobs = context.blobs
        self._stored = Stored(context.blobs)
        self._engine: EngineHost[SpeechRequest, Speech] = hosted(
            engine,
            context,
            budget=BATCH_CHARACTERS,
            cost=lambda request: len(request.text),
        )

    def takes(self, view: JobView, orders: Sequence[_Order], references: Mapping[str, str]) -> tuple[Take, ...]:
        """The takes of a passage; those that exist already are not spoken again."""
        keys = {order.utterance.id: artefacts.take(view, order, self._info) for order in orders}
        takes = {order.utterance.id: self._stored.find(Take, keys[order.utterance.id]) for order in orders}
        missing = [order for order in orders if takes[order.utterance.id] is None]
        for order, take in zip(missing, self._speak(view, missing, references), strict=True):
            if take is not None:
                self._blobs.put_bytes(keys[order.utterance.id], to_json(take))
            takes[order.utterance.id] = take
        return tuple(take for take in takes.values() if take is not None)

    def _speak(self, view: JobView, orders: Sequence[_Order], references: Mapping[str, str]) -> list[Take | None]:
        """First at the voice's natural rate; then again where lines need their shorter texts, or other rates."""
        readings = self._first(orders, references)
        for change in (_shorter, self._in_time):
            readings = self._again(readings, change)
        return [None if reading is None else self._keep(view, reading) for reading in readings]

    def _first(self, orders: Sequence[_Order], references: Mapping[str, str]) -> list[_Reading | None]:
        requests = [order.request(self._stored.reference(references.get(order.voice, ""))) for order in orders]
        speeches = self._engine.ask_all(requests)
        if speeches and all(isinstance(speech, EngineError) for speech in speeches):
            raise next(speech for speech in speeches if isinstance(speech, EngineError))
        return [
            None if isinstance(speech, EngineError) else _Reading(order, request, speech, speech.seconds)
            for order, request, speech in zip(orders, requests, speeches, strict=True)
        ]

    def _again(
        self, readings: Sequence[_Reading | None], change: Callable[[_Reading], SpeechRequest | None]
    ) -> list[_Reading | None]:
        """Read together what `change` wants read otherwise; a line that cannot be read so stays as it was."""
        wanted = {i: request for i, one in enumerate(readings) if one and (request := change(one))}
        changed = list(readings)
        for (i, request), speech in zip(wanted.items(), self._engine.ask_all(list(wanted.values())), strict=True):
            before = readings[i]
            if before and isinstance(speech, Speech):
                natural = speech.seconds if request.rate == 1 else before.natural_seconds
                changed[i] = _Reading(before.order, request, speech, natural)
        return changed

    def _in_time(self, reading: _Reading) -> SpeechRequest | None:
        """The rate that a line needs, as far as the engine has it."""
        rate = min(max(reading.wanted_rate, self._rates[0]), self._rates[1])
        return replace(reading.request, rate=rate) if abs(rate - 1) > RATE_WORTH_CHANGING else None

    def _keep(self, view: JobView, reading: _Reading) -> Take:
        order, request, speech = reading.order, reading.request, reading.speech
        key = artefacts.spoken(view, replace(request, reference=None), self._info)
        self._blobs.put_bytes(key, flac.encode(speech.samples, speech.sample_rate))
        peak = TruePeakMeter()
        peak.push(speech.samples)
        return Take(
            utterance_id=order.utterance.id,
            text=request.text,
            voice=request.voice,
            audio_key=key,
            sample_rate=speech.sample_rate,
            samples=len(speech.samples),
            natural_seconds=reading.natural_seconds,
            level=measure(speech.samples, speech.sample_rate),
            peak=peak.peak,
            flags=order.line.flags,
        )


def _shorter(reading: _Reading) -> SpeechRequest | None:
    """The shorter text of a line that would have to be hurried."""
    concise = reading.order.line.concise
    return replace(reading.request, text=concise) if concise and reading.wanted_rate > timing.FREE_RATE else None
