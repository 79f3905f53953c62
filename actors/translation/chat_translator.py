"""Translation by a language model that answers in JSON: what is wrong is asked again, then translated by a machine."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from actors.contracts.engine import EngineError
from actors.contracts.translation import TranslatedLine, Translation, TranslationRequest
from actors.translation.chat import ChatModel
from actors.translation.chat_answers import Answer, Fault, read_brief, read_lines
from actors.translation.chat_briefs import Briefs
from actors.translation.chat_prompts import Brief, ask_about, ask_again, ask_for_passage

FALLBACK = "translation_fallback"

FallBack = Callable[[TranslationRequest], Sequence[str | None]]
"""Another translator: one text a line, None where it has none."""


class ChatTranslator:
    """Asks a model about a passage, beside all others that are under way in the same event loop.

    A line whose answer is of no use is asked for again alone. What is of no use even then comes from the fallback and
    is flagged, or is missing where that has nothing either; an answer that is only too long for its time is kept.
    Cancelling a translation withdraws its questions.

    Args:
        model: Answers questions.
        fall_back: Translates what the model does not.
    """

    def __init__(self, model: ChatModel, fall_back: FallBack) -> None:
        self._model = model
        self._fall_back = fall_back
        self._briefs = Briefs(self._ask_about)

    async def translate(self, request: TranslationRequest) -> Translation:
        """Translate a passage.

        Raises:
            EngineError: The model cannot answer, or gave nothing that can be used.
        """
        if not request.lines:
            return Translation(())
        brief = await self._briefs.of(request)
        answers = read_lines(await self._model.answer(ask_for_passage(request, brief)), request)
        again = [i for i, answer in enumerate(answers) if answer.fault]
        seconds = await self._all_again(request, again, brief)
        answers = [_better(answer, seconds[i]) if i in seconds else answer for i, answer in enumerate(answers)]
        lost = [i for i, answer in enumerate(answers) if not _usable(answer)]
        rescued = await asyncio.to_thread(self._rescued, request, lost) if lost else {}
        return _translation(request, answers, rescued)

    async def _all_again(self, request: TranslationRequest, again: Sequence[int], brief: Brief) -> Mapping[int, Answer]:
        """Lines by themselves, all at once; where one cannot be asked, the others are withdrawn."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {i: group.create_task(self._again(request, i, brief)) for i in again}
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return {i: task.result() for i, task in tasks.items()}

    async def _again(self, request: TranslationRequest, index: int, brief: Brief) -> Answer:
        alone = replace(request, lines=(request.lines[index],))
        (answer,) = read_lines(await self._model.answer(ask_again(request, index, brief)), alone)
        return answer

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
