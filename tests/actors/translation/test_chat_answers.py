import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.contracts.translation import Line, TranslationRequest
from actors.translation.chat_answers import Answer, Fault, judge, read_brief, read_lines
from actors.translation.chat_prompts import CANARY, Brief

SOURCE = "She opened the window and looked outside."
GOOD = "Ella abrió la ventana y miró hacia fuera."
INJECTIONS = [
    json.loads(line)
    for line in (Path(__file__).parents[3] / "benchmarks" / "llm" / "injections.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]


def request(*texts: str, characters: int = 0, target: str = "es") -> TranslationRequest:
    return TranslationRequest(
        "en", target, tuple(Line(f"u{i}", "S1", text, 3.0, characters) for i, text in enumerate(texts))
    )


def answer(*entries: object) -> str:
    return json.dumps({"lines": list(entries)})


def line(number: object, text: object, concise: object = "") -> dict[str, object]:
    return {"id": number, "text": text, "concise": concise}


def only(text: str, source: str = SOURCE, *, concise: str = "", characters: int = 0, target: str = "es") -> Answer:
    (found,) = read_lines(answer(line(1, text, concise)), request(source, characters=characters, target=target))
    return found


def test_a_good_answer_is_taken() -> None:
    assert only(GOOD) == Answer(GOOD, None, None)


@pytest.mark.parametrize(
    "wrapped",
    [
        "```json\n{}\n```",
        "<think>The user wants {{lines}}.</think>{}",
        "Here you are:\n{}",
        "{}\nI hope that helps!",
    ],
)
def test_json_is_found_in_what_talkative_models_wrap_around_it(wrapped: str) -> None:
    text = wrapped.replace("{{", "{").replace("}}", "}") if "think" in wrapped else wrapped
    said = text.replace("{}", answer(line(1, GOOD)))
    assert read_lines(said, request(SOURCE))[0].text == GOOD


def test_answers_go_to_the_lines_whose_ids_they_name() -> None:
    found = read_lines(answer(line(2, "Dos cosas."), line(1, "Una cosa.")), request("One thing.", "Two things."))
    assert [one.text for one in found] == ["Una cosa.", "Dos cosas."]


@pytest.mark.parametrize(
    "entries",
    [[], [line(2, GOOD)], [line(1, GOOD), line(1, "Otra.")], [line(True, GOOD)], [line(None, GOOD)], ["text"], [7]],
)
def test_a_line_without_one_answer_of_its_own_has_none(entries: list[object]) -> None:
    assert read_lines(answer(*entries), request(SOURCE))[0].fault is Fault.MISSING


@pytest.mark.parametrize("said", ["", "null", "[]", "{", '{"lines": 3}', '{"lines": {"1": "x"}}', "I cannot do that."])
def test_what_is_no_answer_is_none(said: str) -> None:
    assert [one.fault for one in read_lines(said, request(SOURCE, "Two."))] == [Fault.MISSING, Fault.MISSING]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.EMPTY),
        (" … ", Fault.EMPTY),
        (SOURCE, Fault.UNTRANSLATED),
        (SOURCE.upper() + "!!", Fault.UNTRANSLATED),
        ("She has opened that window there and she is looking at the outside.", Fault.WRONG_LANGUAGE),
        (GOOD * 5, Fault.RUNAWAY),
        ("Abrió.", Fault.CURTAILED),
        (f"{GOOD} {CANARY}", Fault.INJECTED),
        (f"{GOOD} <|im_end|>", Fault.INJECTED),
        (f"{GOOD} www.example.org", Fault.INJECTED),
    ],
)
def test_what_cannot_be_a_translation_is_told_apart(text: str, fault: Fault) -> None:
    assert only(text).fault is fault


@pytest.mark.parametrize("text", ["Okay.", "Barack Obama", "3.14", "Jean-Luc Picard!"])
def test_names_and_numbers_may_stay_as_they_are(text: str) -> None:
    assert only(text, text).fault is None


def test_a_link_that_was_said_may_be_said_again() -> None:
    assert only("Visita www.example.org hoy mismo.", "Visit www.example.org today.").fault is None


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("ja", "彼女は窓を開けて外を見た。"),
        ("zh", "她打开窗户往外看。"),
        ("ru", "Она открыла окно и выглянула наружу."),
    ],
)
def test_other_scripts_are_measured_by_what_a_character_says(target: str, text: str) -> None:
    assert only(text, target=target).fault is None


def test_a_shorter_variant_is_kept_where_the_natural_one_does_not_fit() -> None:
    short = "Abrió la ventana y miró."
    assert only(GOOD, concise=short, characters=30) == Answer(GOOD, short, None)
    assert only(GOOD, concise=short, characters=90) == Answer(GOOD, None, None)
    assert only(GOOD, concise=GOOD + " Y más.", characters=36).concise is None


def test_what_is_too_long_even_in_short_is_said_so() -> None:
    assert only(GOOD, concise="Abrió la ventana y miró fuera.", characters=12).fault is Fault.OVERLONG


def test_control_characters_do_not_reach_the_voice() -> None:
    assert only("Ella abrió\n\tla ventana\u2028 y miró hacia fuera.\x00").text == GOOD


@pytest.mark.parametrize("case", INJECTIONS, ids=[case["name"] for case in INJECTIONS])
def test_an_answer_of_a_model_that_obeyed_its_material_is_told_apart(case: dict[str, str]) -> None:
    asked = request(case["text"])
    obeyed = case["obeyed"].replace("kestrel-{canary}", CANARY)
    assert judge(obeyed, asked.lines[0], asked) is not None
    assert judge(case["translated"], asked.lines[0], asked) is None


def test_a_brief_keeps_terms_that_the_script_holds_and_nothing_foreign() -> None:
    said = json.dumps(
        {
            "about": "A talk about the sea.",
            "terms": [
                {"source": "sea", "target": "mar"},
                {"source": "moon", "target": "luna"},
                {"source": "river", "target": "https://evil.example"},
                {"source": "river"},
                "river",
            ],
        }
    )
    assert read_brief(said, ["The Sea and the river."]) == Brief("A talk about the sea.", (("sea", "mar"),))
    assert read_brief("no", ["The sea."]) == Brief()
    assert read_brief(json.dumps({"about": f"Say {CANARY}", "terms": 3}), ["The sea."]) == Brief()


@given(st.text(), st.lists(st.text(max_size=30), max_size=4))
def test_no_answer_breaks_the_reader(said: str, texts: list[str]) -> None:
    asked = request(*texts)
    assert len(read_lines(said, asked)) == len(texts)
    wrapped = answer(*(line(i, said, said) for i in range(len(texts) + 1)))
    assert len(read_lines(wrapped, asked)) == len(texts)
