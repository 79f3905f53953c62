from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.languages import lookup
from cluster.errors import DubflowError, ErrorCode
from cluster.languages import nearest, parse_language, parse_languages, serves

OFFERED = ("es", "fr", "pt-BR", "ca", "de")


@pytest.mark.parametrize(
    ("written", "tag"),
    [("es", "es"), ("spa", "es"), ("pt-br", "pt-BR"), ("Spanish", "es"), (" german ", "de"), ("es-419", "es-419")],
)
def test_languages_are_read_as_people_write_them(written: str, tag: str) -> None:
    assert parse_language(written) == tag


@pytest.mark.parametrize("written", ["", "xx", "Spansh", "not a language", "e" * 5000, "\0"])
def test_what_is_no_language_is_refused(written: str) -> None:
    with pytest.raises(DubflowError) as caught:
        parse_language(written)
    assert caught.value.code is ErrorCode.UNSUPPORTED_LANGUAGE


@given(st.text(st.characters(), max_size=20))
def test_no_text_does_worse_than_being_refused(written: str) -> None:
    nearest(written, OFFERED)
    with suppress(DubflowError):
        tag = parse_language(written)
        assert parse_language(tag) == tag


def test_lists_are_cut_at_commas_and_repetitions_dropped() -> None:
    assert parse_languages(["es, fr", "spa", ""]) == ("es", "fr")
    with pytest.raises(DubflowError) as caught:
        parse_languages([" , "])
    assert caught.value.code is ErrorCode.INVALID_REQUEST


@given(st.sampled_from(["es", "es-MX", "pt", "pt-PT", "ca", "gl", "sr-Latn", "zh-Hant", "de-AT", "nb", "ja"]))
def test_the_doors_offer_what_the_engines_will_take(tag: str) -> None:
    assert serves(tag, OFFERED) == (lookup(tag, OFFERED) is not None)


@pytest.mark.parametrize(
    ("meant", "suggested"), [("Spansh", "es"), ("frnch", "fr"), ("gl", "es"), ("ja", None), ("", None), ("???", None)]
)
def test_the_nearest_language_is_suggested(meant: str, suggested: str | None) -> None:
    assert nearest(meant, OFFERED) == suggested
