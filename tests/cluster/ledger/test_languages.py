from cluster.ledger.ledger import Ledger
from cluster.ledger.records import SupportedLanguage

SPANISH = SupportedLanguage("es", "Spanish", "español")
LATIN = SupportedLanguage("la", "Latin", "Latina", target=False)
WELSH = SupportedLanguage("cy", "Welsh", "Cymraeg", voice_cloning=True)


def test_the_list_is_replaced_as_a_whole(ledger: Ledger) -> None:
    assert ledger.languages() == ()

    ledger.replace_languages([SPANISH, LATIN])
    assert ledger.languages() == (SPANISH, LATIN)
    ledger.replace_languages([WELSH, SPANISH])
    assert ledger.languages() == (WELSH, SPANISH)
    ledger.replace_languages([])
    assert ledger.languages() == ()
