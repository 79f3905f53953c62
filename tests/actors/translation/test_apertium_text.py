from hypothesis import given
from hypothesis import strategies as st

from actors.translation.apertium_text import Outcome, message, outcome

SPECIAL = "^$[]{}<>@\\/*#~+"


@given(text=st.text(alphabet=st.sampled_from("ab .,é中😀" + SPECIAL)))
def test_no_character_of_a_text_can_be_taken_for_markup_and_all_come_back(text: str) -> None:
    sent = message(text, [])
    assert not set(sent) & set(SPECIAL)
    assert outcome(sent, []) == Outcome(" ".join(text.split()), 0)


@given(text=st.text())
def test_any_text_becomes_one_line_without_control_characters(text: str) -> None:
    sent = message(text, [])
    assert "\n" not in sent
    assert "\0" not in sent


def test_marks_are_counted_and_removed() -> None:
    assert outcome("La *zorp y #casa de @tree", []) == Outcome("La zorp y casa de tree", 3)


def test_glossary_terms_are_kept_whole_and_are_no_unknown_words() -> None:
    sent = message("The foo bar meets Foo, not food.", ["foo bar", "foo"])
    assert "foo bar" not in sent
    assert "food" in sent
    answer = "".join(f"*{word}" if word.startswith("Qzx") else word for word in sent.split(" "))
    assert outcome(answer, ["la barra", "el fu"]).unknown == 0
    assert outcome(sent, ["la barra", r"el \1 fu"]).text == r"The la barra meets el \1 fu, not food."
