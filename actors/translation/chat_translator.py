"""Translation by a language model that answers in JSON: what is wrong is asked again, then translated by a machine."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b

from actors.contracts.engine import EngineError
from actors.contracts.translation import TranslatedLine, Translation, TranslationRequest
from actors.loop_thread import LoopThread
from actors.translation.chat import ChatModel
from actors.translation.chat_answers import Answer, Fault, read_brief, read_lines
from actors.translation.chat_prompts import Brief, ask_about, ask_again, ask_for_passage

FALLBACK = "translation_fallback"
LINES_WORTH_A_BRIEF = 8
"""A shorter script is nearly all context already."""
_KEPT_BRIEFS = 64

FallBack = Callable[[TranslationRequest], Sequence[str | None]]
"""Another translator: one text a line, None where it has none."""


class ChatTranslator:
    """Asks a model about all passages of a batch at once, in an event loop of its own.

    A line whose answer is of no use is asked for again alone. What is of no use even then comes from the fallback and
    is flagged, or is missing where that has nothing either; an answer that is only too long for its time is kept.

    Args:
        model: Answers questions.
        fall_back: Translates what the model does not.
        end: Closes the model, in the loop that asked it.
    """

    def __init__(self, model: ChatModel, fall_back: FallBack, end: Callable[[], Awaitable[None]]) -> None:
        self._model = model
        self._fall_back = fall_back
        self._end = end
        self._briefs: OrderedDict[bytes, asyncio.Task[Brief]] = OrderedDict()
        self._loop = LoopThread("chat")

    def run(self, batch: Sequence[TranslationRequest]) -> list[Translation | EngineError]:
        """One outcome a request, in order."""
        return self._loop.run(self._all(batch))

    def close(self) -> None:
        """Close the model, and end the thread."""
        self._loop.run(self._closed())
        self._loop.close()

    async def _closed(self) -> None:
        await self._end()

    async def _all(self, batch: Sequence[TranslationRequest]) -> list[Translation | EngineError]:
        return list(await asyncio.gather(*map(self._translation_or_error, batch)))

    async def _translation_or_error(self, request: TranslationRequest) -> Translation | EngineError:
        try:
            return await self._translation(request)
        except EngineError as error:
            return error

    async def _translation(self, request: TranslationRequest) -> Translation:
        if not request.lines:
            return Translation(())
        brief = await self._brief(request)
        answers = read_lines(await self._model.answer(ask_for_passage(request, brief)), request)
        again = [i for i, answer in enumerate(answers) if answer.fault]
        seconds = await asyncio.gather(*(self._again(request, i, brief) for i in again))
        better = {i: _better(answers[i], second) for i, second in zip(again, seconds, strict=True)}
        answers = [better.get(i, answer) for i, answer in enumerate(answers)]
        lost = [i for i, answer in enumerate(answers) if not _usable(answer)]
        rescued = await asyncio.to_thread(self._rescued, request, lost) if lost else {}
        return _translation(request, answers, rescued)

    async def _again(self, request: TranslationRequest, index: int, brief: Brief) -> Answer:
        alone = replace(request, lines=(request.lines[index],))
        (answer,) = read_lines(await self._model.answer(ask_again(request, index, brief)), alone)
        return answer

    async def _brief(self, request: TranslationRequest) -> Brief:
        """The summary of a script, asked for once; translation goes on without one where there is none."""
        if len(request.document) < LINES_WORTH_A_BRIEF:
            return Brief()
        key = _digest(request)
        if key not in self._briefs:
            self._briefs[key] = asyncio.create_task(self._ask_about(request))
            while len(self._briefs) > _KEPT_BRIEFS:
                self._briefs.popitem(last=False)
        self._briefs.move_to_end(key)
        try:
            return await asyncio.shield(self._briefs[key])
        except EngineError:
            self._briefs.pop(key, None)
            raise

    async def _ask_about(self, request: TranslationRequest) -> Brief:
        return read_brief(
            await self._model.answer(ask_about(request.document, request.target_language)), request.document
        )

    def _rescued(self, request: TranslationRequest, lost: Sequence[int]) -> Mapping[int, str]:
        lines = tuple(request.lines[i] for i in lost)
        texts = self._fall_back(replace(request, lines=lines))
        return {i: text for i, text in zip(lost, texts, strict=True) if text}


def _usable(answer: Answer) -> bool:
    return answer.fault in {None, Fault.OVERLONG}


def _better(first: Answer, second: Answer) -> Answer:
    """The second try where it is of use, unless both are only too long and the first is shorter."""
    if not _usable(second):
        return first
    if not _usable(first) or second.fault is None:
        return second
    return min(second, first, key=lambda answer: len(answer.concise or answer.text))


def _translation(request: TranslationRequest, answers: Sequence[Answer], rescued: Mapping[int, str]) -> Translation:
    lines = []
    for i, (line, answer) in enumerate(zip(request.lines, answers, strict=True)):
        if _usable(answer):
            lines.append(TranslatedLine(line.id, answer.text, answer.concise))
        elif i in rescued:
            lines.append(TranslatedLine(line.id, rescued[i], flags=(FALLBACK,)))
    if not lines:
        faults = ", ".join(sorted({answer.fault.value for answer in answers if answer.fault}))
        raise EngineError(f"the language model gave no translation that can be used ({faults}); choose another model")
    return Translation(tuple(lines))


def _digest(request: TranslationRequest) -> bytes:
    said = "\n".join((request.target_language, *request.document))
    return blake2b(said.encode(errors="surrogatepass"), digest_size=16).digest()
