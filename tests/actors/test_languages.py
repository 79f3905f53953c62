import pytest

from actors.languages import lookup, primary


@pytest.mark.parametrize(
    ("requested", "available", "served_by"),
    [
        ("es", {"es", "es-419"}, "es"),
        ("es-MX", {"es", "es-419"}, "es-419"),
        ("es-419", {"es"}, "es"),
        ("en", {"en-GB", "en-US"}, "en-US"),
        ("EN-us", {"en-US"}, "en-US"),
        ("pt", {"pt-BR"}, "pt-BR"),
        ("ca-valencia", {"ca", "ca-valencia"}, "ca-valencia"),
        ("cmn", {"zh"}, "zh"),
        ("zh-Hant", {"zh"}, None),
        ("gl", {"es", "pt"}, None),
        ("fr", {"es"}, None),
        ("fr", set(), None),
        ("not a language", {"es"}, None),
    ],
)
def test_a_language_is_served_by_its_nearest_form_and_by_no_other_language(
    requested: str, available: set[str], served_by: str | None
) -> None:
    assert lookup(requested, available) == served_by


def test_primary_language_drops_script_and_region() -> None:
    assert primary("zh-Hant-TW") == "zh"
