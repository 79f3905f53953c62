"""What is written short, as people read it aloud."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.speech.reading.text import written_out

pytestmark = pytest.mark.models

COVERED = (
    "en",
    "es",
    "fr",
    "de",
    "it",
    "pt",
    "nl",
    "ca",
    "pl",
    "ru",
    "sv",
    "tr",
    "ja",
    "ar",
    "es-MX",
    "pt-BR",
    "en-GB",
)

READ = {
    "es": {
        "Son las 20.": "Son las veinte.",
        "En 1984 y 2001": "En mil novecientos ochenta y cuatro y dos mil uno",
        "1.250.000 personas": "un millón doscientos cincuenta mil personas",
        "El 12/03/2024 a las 14:30": "El doce de marzo de dos mil veinticuatro a las catorce y treinta",
        "el 1 de enero, a la 1:00": "el primero de enero, a la una",
        "3,5 km a 80 km/h": "tres coma cinco kilómetros a ochenta kilómetros por hora",
        "con -5 °C": "con menos cinco grados Celsius",
        "21 km en 1 hora": "veintiún kilómetros en una hora",
        "pagué 5,50 € y $20": "pagué cinco euros con cincuenta y veinte dólares",
        "costó $5 millones, 3 mil € o 1 €": "costó cinco millones de dólares, tres mil euros o un euro",
        "el 50 % de EE. UU.": "el cincuenta por ciento de Estados Unidos.",
        "el Dr. García, la Sra. Pérez, etc.": "el doctor García, la señora Pérez, etcétera.",
        "la 3.ª vez, el 2º piso": "la tercera vez, el segundo piso",
        "de 10-15 años": "de diez a quince años",
        "MP3, 007": "MP tres, cero cero siete",
    },
    "en": {
        "Mr. Smith paid $5.50 on 3/12/2024 at 2:05 pm.": (
            "Mister Smith paid five dollars fifty on March twelfth, twenty twenty-four at two oh five pm."
        ),
        "On March 3, 1999": "On March third, nineteen ninety-nine",
        "The 21st of May 2010, on 12 March": "The twenty-first of May twenty ten, on the twelfth of March",
        "$5 million vs. 3.125 kg": "five million dollars versus three point one two five kilograms",
        "1,500 people at 10:00": "one thousand, five hundred people at ten o'clock",
        "the 3rd, No. 5, pages 10-15": "the third, number five, pages ten to fifteen",
        "Dogs, cats, etc. They sleep.": "Dogs, cats, et cetera. They sleep.",
    },
    "en-GB": {"on 3/12/2024": "on the third of December twenty twenty-four"},
    "fr": {
        "Le 1er mai 2020 à 14h30, M. Dupont a payé 21 €.": (
            "Le premier mai deux mille vingt à quatorze heures trente, monsieur Dupont a payé vingt et un euros."
        ),
        "5 millions €, 12 500 €": "cinq millions d'euros, douze mille cinq cents euros",
        "la 2e fois, 1 h, 3,5 km": "la deuxième fois, une heure, trois virgule cinq kilomètres",
    },
    "de": {
        "Am 12. März 2024 um 14.30 Uhr": "Am zwölften März zweitausendvierundzwanzig um vierzehn Uhr dreißig",
        "Der 3. Mai 1984, z. B. 1 km": "Der dritte Mai neunzehnhundertvierundachtzig, zum Beispiel ein Kilometer",
        "1 h für 5,50 € oder 5 Mio. €": "eine Stunde für fünf Euro fünfzig oder fünf Millionen Euro",
        "am 12.03.2024, Nr. 5": "am zwölften März zweitausendvierundzwanzig, Nummer fünf",
    },
    "it": {
        "Il 1 maggio 2020 alle 14:30": "Il primo maggio duemilaventi alle quattordici e trenta",
        "1 km, 5 milioni di €, la 3ª volta": "un chilometro, cinque milioni di euro, la terza volta",
        "5,50 € per il Sig. Rossi": "cinque euro e cinquanta per il signor Rossi",
    },
    "pt": {
        "No dia 1 de maio de 2020, às 14:00": "No dia primeiro de maio de dois mil e vinte, às catorze horas",
        "2 h por 5,50 €": "duas horas por cinco euros e cinquenta",
    },
    "nl": {"Op 12 maart om 14:30 uur, 5,50 €": "Op twaalf maart om veertien uur dertig, vijf euro vijftig"},
    "ca": {"2 h, 5,50 €, 5 milions €": "dues hores, cinc euros amb cinquanta, cinc milions d'euros"},
    "pl": {
        "12.03.2024, 2 km i 5 km": "dwanaście marca dwa tysiące dwadzieścia cztery, dwa kilometry i pięć kilometrów"
    },
    "tr": {"%50": "yüzde elli"},
    "eu": {"12 liburu": "12 liburu"},
}


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [(language, text, expected) for language, lines in READ.items() for text, expected in lines.items()],
)
def test_texts_are_read_as_people_do(language: str, text: str, expected: str) -> None:
    assert written_out(text, language) == expected


@settings(deadline=None, max_examples=300)
@given(language=st.sampled_from(COVERED), text=st.text("0123456789.,:/-\u2013% €$°ºª'kmhM12ab٣²\u00a0", max_size=24))
def test_no_digits_are_left_in_languages_that_are_known(language: str, text: str) -> None:
    assert not re.search(r"\d", written_out(text, language))


@settings(deadline=None, max_examples=150)
@given(language=st.sampled_from((*COVERED, "eu", "gl", "xx", "zh-Hant")), text=st.text(max_size=40))
def test_nothing_that_is_written_is_too_much(language: str, text: str) -> None:
    written_out(text, language)


@settings(deadline=None, max_examples=150)
@given(
    language=st.sampled_from(COVERED),
    words=st.lists(
        st.sampled_from(["Hola,", "der", "  Mai", "o'clock", "¿de?", "l'été", "M", "h", "-", "…", "mil\n"]), max_size=8
    ),
)
def test_what_is_written_in_full_stays_as_it_is(language: str, words: list[str]) -> None:
    text = " ".join(words)
    assert written_out(text, language) == text


@pytest.mark.parametrize(
    "text", ["31/02/2024", "99:99", "1.2.3.4", "$", "%", "5,", "--5", "0,5", "12345678901234567890"]
)
def test_what_is_no_date_time_or_amount_is_still_read(text: str) -> None:
    assert not re.search(r"\d", written_out(text, "es"))
