import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from actors.contracts.engine import EngineError
from actors.contracts.translation import Line, TranslatedLine, Translation, TranslationRequest
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
        self.closed = 0
        self._says = says

    async def answer(self, chat: Chat) -> str:
        material = json.loads(chat.user)
        self.asked.append(material)
        said = self._says(material, len(self.asked))
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, str) else json.dumps(said)

    async def close(self) -> None:
        self.closed += 1

    @property
    def sizes(self) -> list[int]:
        return [len(material["lines"]) for material in self.asked if "lines" in material]


def right(material: Material, _count: int = 0) -> object:
    if "excerpts" in material:
        return {"about": "A test.", "terms": [{"source": "river", "target": "río"}]}
    return {"lines": [{"id": line["id"], "text": WORDS[line["text"]], "concise": ""} for line in material["lines"]]}


def nothing(request: TranslationRequest) -> Sequence[str | None]:
    return [None] * len(request.lines)


@contextmanager
def translator(
    model: Model, fall_back: Callable[[TranslationRequest], Sequence[str | None]] = nothing
) -> Iterator[ChatTranslator]:
    made = ChatTranslator(model, fall_back, model.close)
    yield made
    made.close()
    assert model.closed == 1


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
