from hypothesis import given
from hypothesis import strategies as st

from actors.contracts.transcription import Word
from actors.transcription.writing import write_english


def spoken(text: str, pauses: dict[int, float] | None = None) -> list[Word]:
    """Words of 0.3 s each; `pauses` are the seconds before a word."""
    words, at = [], 0.0
    for i, part in enumerate(text.split()):
        at += (pauses or {}).get(i, 0.05)
        words.append(Word(part, at, at + 0.3, 0.9))
        at += 0.3
    return words


def written(text: str, pauses: dict[int, float] | None = None, terms: tuple[str, ...] = ()) -> str:
    return " ".join(word.text for word in write_english(spoken(text, pauses), terms))


def test_sentences_begin_and_end_at_pauses() -> None:
    assert written("hello there my friend how are you", {3: 0.3, 4: 0.8}) == "Hello there my friend. How are you."


def test_the_pronoun_and_common_names_get_their_capitals() -> None:
    assert written("well i think i'm in america on monday and i'd stay") == (
        "Well I think I'm in America on Monday and I'd stay."
    )


def test_known_terms_are_written_as_given() -> None:
    text = written("did john dashwood's iphone ring at the door", terms=("John Dashwood", "iPhone", "the door"))
    assert text == "Did John Dashwood's iPhone ring at the door."


@given(st.lists(st.tuples(st.sampled_from(["a", "i'll", "the", "bus"]), st.floats(0, 2)), max_size=12))
def test_only_the_writing_changes(parts: list[tuple[str, float]]) -> None:
    words = spoken(" ".join(part for part, _ in parts), {i: pause for i, (_, pause) in enumerate(parts)})
    result = write_english(words)
    assert [(w.start, w.end, w.probability) for w in result] == [(w.start, w.end, w.probability) for w in words]
    assert [w.text.lower().rstrip(".") for w in result] == [w.text for w in words]


def test_nothing_said_is_nothing_written() -> None:
    assert write_english([]) == ()
