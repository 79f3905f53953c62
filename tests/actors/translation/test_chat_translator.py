import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from actors.contracts.engine import EngineError
from actors.contracts.translation import Line, TranslatedLine, Translation, TranslationRequest
from actors.loop_thread import LoopThread
from actors.translation.chat import Chat
from actors.translation.chat_translator import FALLBACK, ChatTranslator

WORDS = {
    "The river runs slowly to the sea.": "El río corre despacio hacia el mar.",
    "My brother works in a large hospital.": "Mi hermano trabaja en un hospital grande.",
    "Nobody knows where the money went.": "Nadie sabe dónde fue el dinero.",
}
FIRST, SECOND, THIRD = WORDS
Material = dict[str, Any]


class Model:
    """Answers as its function says, and remembers what it was asked."""

    def __init__(self, says: Callable[[Material, int], object]) -> None:
        self.asked: list[Material] = []
        self._says = says

    async def answer(self, chat: Chat) -> str:
        material = json.loads(chat.user)
        self.asked.append(material)
        said = self._says(material, len(self.asked))
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, str) else json.dumps(said)

    @property
    def sizes(self) -> list[int]:
        return [len(material["lines"]) for material in self.asked if "lines" in material]


def right(material: Material, _count: int = 0) -> object:
    if "excerpts" in material:
        return {"about": "A test.", "terms": [{"source": "river", "target": "río"}]}
    return {"lines": [{"id": line["id"], "text": WORDS[line["text"]], "concise": ""} for line in material["lines"]]}


def nothing(request: TranslationRequest) -> Sequence[str | None]:
    return [None] * len(request.lines)


class Running:
    """A translator in an event loop, asked from outside of it."""

    def __init__(self, translator: ChatTranslator, loop: LoopThread) -> None:
        self._translator = translator
        self._loop = loop

    def run(self, requests: Sequence[TranslationRequest]) -> list[Translation | EngineError]:
        async def all_of_them() -> list[Any]:
            return list(await asyncio.gather(*map(self._translator.translate, requests), return_exceptions=True))

        return self._loop.run(all_of_them())


@contextmanager
def translator(
    model: Model, fall_back: Callable[[TranslationRequest], Sequence[str | None]] = nothing
) -> Iterator[Running]:
    loop = LoopThread("chat")
    yield Running(ChatTranslator(model, fall_back), loop)
    loop.close()


def ask(*texts: str, document: tuple[str, ...] = (), characters: int = 0) -> TranslationRequest:
    lines = tuple(Line(f"u{i}", "S1", text, 3.0, characters) for i, text in enumerate(texts))
    return TranslationRequest("en", "es", lines, document=document)


def lines(outcome: Translation | EngineError) -> tuple[TranslatedLine, ...]:
    assert isinstance(outcome, Translation), outcome
    return outcome.lines


def test_passages_are_translated_together_and_answered_in_order() -> None:
    model = Model(right)
    with translator(model) as made:
        one, two, none = made.run([ask(FIRST, SECOND), ask(THIRD), ask()])
    assert [(line.id, line.text) for line in lines(one)] == [("u0", WORDS[FIRST]), ("u1", WORDS[SECOND])]
    assert [line.text for line in lines(two)] == [WORDS[THIRD]]
    assert lines(none) == ()
    assert sorted(model.sizes) == [1, 2]


def test_only_the_line_with_a_useless_answer_is_asked_for_again() -> None:
    def says(material: Material, count: int) -> object:
        answer = right(material)
        if count == 1:
            answer["lines"][1]["text"] = SECOND  # type: ignore[index]
        return answer

    model = Model(says)
    with translator(model) as made:
        (outcome,) = made.run([ask(FIRST, SECOND, THIRD)])
    assert [(line.text, line.flags) for line in lines(outcome)] == [(text, ()) for text in WORDS.values()]
    assert model.sizes == [3, 1]
    assert model.asked[1]["lines"][0]["text"] == SECOND


def test_what_fails_twice_is_translated_by_a_machine_and_flagged() -> None:
    def says(material: Material, _count: int) -> object:
        answer = right(material)
        for line in answer["lines"]:  # type: ignore[index]
            if line["text"] == WORDS[SECOND]:
                line["text"] = "pineapple"
        return answer

    asked: list[str] = []

    def fall_back(request: TranslationRequest) -> Sequence[str | None]:
        asked.extend(line.text for line in request.lines)
        return ["Trabaja mi hermano."]

    with translator(Model(says), fall_back) as made:
        (outcome,) = made.run([ask(FIRST, SECOND, THIRD)])
    assert asked == [SECOND]
    assert lines(outcome)[1] == TranslatedLine("u1", "Trabaja mi hermano.", flags=(FALLBACK,))
    assert [line.flags for line in lines(outcome)] == [(), (FALLBACK,), ()]


def test_a_line_that_nothing_can_translate_is_missing_and_its_neighbours_are_there() -> None:
    def says(material: Material, _count: int) -> object:
        answer = right(material)
        answer["lines"] = [line for line in answer["lines"] if line["text"] != WORDS[SECOND]]  # type: ignore[index]
        return answer

    with translator(Model(says)) as made:
        (outcome,) = made.run([ask(FIRST, SECOND, THIRD)])
    assert [line.id for line in lines(outcome)] == ["u0", "u2"]


def test_a_passage_of_which_nothing_comes_is_an_error_that_says_why() -> None:
    with translator(Model(lambda _material, _count: "I would rather not.")) as made:
        (outcome,) = made.run([ask(FIRST)])
    assert isinstance(outcome, EngineError)
    assert "missing" in str(outcome)


def test_a_model_that_fails_costs_the_passage_that_it_failed_on() -> None:
    def says(material: Material, _count: int) -> object:
        broken = any(line["text"] == SECOND for line in material["lines"])
        return EngineError("down", retryable=True) if broken else right(material)

    with translator(Model(says)) as made:
        good, bad = made.run([ask(FIRST), ask(SECOND)])
    assert lines(good)[0].text == WORDS[FIRST]
    assert isinstance(bad, EngineError)
    assert bad.retryable


def test_the_shorter_of_two_answers_that_are_too_long_is_kept() -> None:
    texts = iter(["Es así que nadie sabe dónde fue el dinero.", "Nadie sabe dónde fue el dinero."])

    def says(material: Material, _count: int) -> object:
        return {"lines": [{"id": line["id"], "text": next(texts), "concise": ""} for line in material["lines"]]}

    model = Model(says)
    with translator(model) as made:
        (outcome,) = made.run([ask(THIRD, characters=10)])
    assert [(line.text, line.flags) for line in lines(outcome)] == [("Nadie sabe dónde fue el dinero.", ())]
    assert len(model.asked) == 2


DOCUMENT = tuple(f"Sentence {i} about the river." for i in range(20))


def test_a_script_is_read_once_for_all_its_passages() -> None:
    model = Model(right)
    with translator(model) as made:
        made.run([ask(FIRST, document=DOCUMENT), ask(SECOND, document=DOCUMENT)])
        made.run([ask(THIRD, document=DOCUMENT)])
        made.run([replace(ask(FIRST, document=DOCUMENT), target_language="fr")])
    assert sum("excerpts" in material for material in model.asked) == 2
    passages = [material for material in model.asked if "lines" in material]
    assert all(material["about"] == "A test." and material["terms"] == {"river": "río"} for material in passages)


def test_a_script_is_read_again_after_a_failure() -> None:
    model = Model(lambda material, count: EngineError("down", retryable=True) if count == 1 else right(material))
    with translator(model) as made:
        (failed,) = made.run([ask(FIRST, document=DOCUMENT)])
        (passed,) = made.run([ask(FIRST, document=DOCUMENT)])
    assert isinstance(failed, EngineError)
    assert lines(passed)[0].text == WORDS[FIRST]


@pytest.mark.parametrize("said", ["", "no", "{}"])
def test_translation_goes_on_without_a_summary_that_the_model_does_not_give(said: str) -> None:
    with translator(Model(lambda material, _count: said if "excerpts" in material else right(material))) as made:
        (outcome,) = made.run([ask(FIRST, document=DOCUMENT)])
    assert lines(outcome)[0].text == WORDS[FIRST]


class Slow(Model):
    """Never answers what its function calls slow, and remembers which questions were withdrawn."""

    def __init__(self, slow: Callable[[Material], bool], says: Callable[[Material, int], object] = right) -> None:
        super().__init__(says)
        self._slow = slow
        self.withdrawn: list[Material] = []

    async def answer(self, chat: Chat) -> str:
        material = json.loads(chat.user)
        if not self._slow(material):
            return await super().answer(chat)
        self.asked.append(material)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.withdrawn.append(material)
            raise
        raise AssertionError("nobody waits so long")


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


def test_a_cancelled_passage_withdraws_its_questions() -> None:
    async def scenario() -> None:
        model = Slow(lambda material: "lines" in material)
        task = asyncio.create_task(ChatTranslator(model, nothing).translate(ask(FIRST, SECOND)))
        await until(lambda: len(model.asked) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert model.withdrawn == model.asked

    asyncio.run(scenario())


def test_reading_a_script_ends_when_the_last_passage_that_waits_for_it_leaves() -> None:
    async def scenario() -> None:
        model = Slow(lambda material: "excerpts" in material and not model.withdrawn)
        made = ChatTranslator(model, nothing)
        first, second = (asyncio.create_task(made.translate(ask(text, document=DOCUMENT))) for text in (FIRST, SECOND))
        await until(lambda: len(model.asked) == 1)
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0.01)
        assert not model.withdrawn
        second.cancel()
        await until(lambda: len(model.withdrawn) == 1)
        assert lines(await made.translate(ask(THIRD, document=DOCUMENT)))[0].text == WORDS[THIRD]

    asyncio.run(scenario())


def test_a_passage_that_fails_leaves_none_of_its_questions_behind() -> None:
    def says(material: Material, count: int) -> object:
        if count == 1:
            return "nothing of use"
        return EngineError("down", retryable=True)

    async def scenario() -> None:
        model = Slow(lambda material: [line["text"] for line in material["lines"]] == [FIRST], says)
        with pytest.raises(EngineError, match="down"):
            await ChatTranslator(model, nothing).translate(ask(FIRST, SECOND))
        assert len(model.withdrawn) == 1

    asyncio.run(scenario())
