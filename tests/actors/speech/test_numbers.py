"""Numbers as people say them."""

import pytest

from actors.speech.numbers import spelled

pytestmark = pytest.mark.models


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Son las 20.", "es", "Son las veinte."),
        ("En 1984 y 2001", "es", "En mil novecientos ochenta y cuatro y dos mil uno"),
        ("3,5 km", "es", "tres punto cinco km"),
        ("1.250.000 personas", "es", "un millón doscientos cincuenta mil personas"),
        ("im Jahr 12", "de", "im Jahr zwölf"),
        ("les 12 salaires", "fr-CA", "les douze salaires"),
        ("nothing to count", "en", "nothing to count"),
        ("12 things", "eu", "12 things"),
    ],
)
def test_numbers_are_written_out_where_the_language_is_known(text: str, language: str, expected: str) -> None:
    assert spelled(text, language) == expected
