import pytest

from actors.contracts.engine import EngineError, EngineOptions
from actors.translation.ctranslate2 import CTranslate2, _shorter
from actors.translation.seq2seq_families import Madlad, Nllb, Opus, flores


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("es", "spa_Latn"),
        ("en-GB", "eng_Latn"),
        ("zh", "zho_Hans"),
        ("zh-Hant", "zho_Hant"),
        ("ar", "arb_Arab"),
        ("nb", "nob_Latn"),
        ("sr", "srp_Cyrl"),
        ("fa", "pes_Arab"),
    ],
)
def test_languages_are_named_as_flores_names_them(language: str, name: str) -> None:
    assert flores(language) == name


def test_a_family_says_which_pairs_it_has() -> None:
    assert Opus("en", "es").pairs() == {("en", "es")}
    for family in (Madlad(), Nllb()):
        pairs = family.pairs()
        assert {("en", "ca"), ("ja", "de")} <= pairs
        assert all(source != target for source, target in pairs)


@pytest.mark.parametrize("parameters", [{"family": "opus"}, {"family": "opus", "pair": "en"}, {"family": "moses"}])
def test_a_wrong_parameter_is_one_clear_line(parameters: dict[str, str]) -> None:
    with pytest.raises(EngineError) as wrong:
        CTranslate2(EngineOptions(parameters=parameters))
    assert wrong.value.code == "invalid_request"


@pytest.mark.parametrize(
    ("characters", "expected"),
    [
        (0, None),  # nothing is known of the time that it may take
        (40, None),  # the best one fits
        (20, "a translation that"),
        (11, "short one"),
        (3, "short one"),  # none fits: the shortest that is still good
    ],
)
def test_the_likeliest_text_that_fits_is_the_concise_one(characters: int, expected: str | None) -> None:
    texts = ["a translation that goes on and on", "a translation that", "short one", "no"]
    assert _shorter(texts, [-0.1, -0.3, -0.5, -4.0], characters) == expected
