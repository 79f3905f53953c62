"""What the libraries do not know of how a language reads what is written short: its abbreviations, its small words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Nouns = Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Habits:
    """How one language is read aloud.

    Attributes:
        short: Abbreviation -> what is said. One that ends in `#` counts before a number only, in `^` before a name.
        until: Between the ends of a range.
        point: What a decimal sign is called where num2words says another: sign -> word.
        first: The first day of a month, where that is an ordinal.
        ordinal_days: Days of a month are ordinals.
        clock: A full hour, and an hour with minutes: `{h}`, `{m}`.
        cents: Between money and its hundredths.
        money: Currency by its code: one of it, several of it, where that is shorter than CLDR's name.
        many: Words for large numbers, which stand between a number and its currency.
        of: Between such a word and the currency.
        feminine: Nouns of units that take the feminine number.
    """

    short: Mapping[str, str] = field(default_factory=dict)
    until: str = ""
    point: Mapping[str, str] = field(default_factory=dict)
    first: str = ""
    ordinal_days: bool = False
    clock: tuple[str, str] = ("{h}", "{h} {m}")
    cents: str = ""
    money: Nouns = field(default_factory=dict)
    many: Mapping[str, str] = field(default_factory=dict)
    of: str = ""
    feminine: frozenset[str] = frozenset()


def _same(*words: str) -> dict[str, str]:
    return {word: word for word in words}


HABITS: Mapping[str, Habits] = MappingProxyType(
    {
        "en": Habits(
            short={
                "Mr.^": "Mister",
                "Mrs.^": "Missus",
                "Ms.^": "Miss",
                "Dr.^": "Doctor",
                "Prof.^": "Professor",
                "St.^": "Saint",
                "No.#": "number",
                "approx.": "approximately",
                "e.g.": "for example",
                "etc.": "et cetera",
                "i.e.": "that is",
                "vs.": "versus",
            },
            until="to",
            ordinal_days=True,
            clock=("{h} o'clock", "{h} {m}"),
            money={"USD": ("dollar", "dollars"), "GBP": ("pound", "pounds")},
            many={
                **_same("thousand", "million", "billion", "trillion"),
                "k": "thousand",
                "K": "thousand",
                "M": "million",
                "bn": "billion",
                "B": "billion",
            },
        ),
        "es": Habits(
            short={
                "Sr.^": "señor",
                "Sra.^": "señora",
                "Srta.^": "señorita",
                "Dr.^": "doctor",
                "Dra.^": "doctora",
                "Ud.": "usted",
                "Uds.": "ustedes",
                "n.º#": "número",
                "núm.#": "número",
                "pág.#": "página",
                "aprox.": "aproximadamente",
                "etc.": "etcétera",
                "p. ej.": "por ejemplo",
                "EE. UU.": "Estados Unidos",
            },
            until="a",
            point={",": "coma"},
            first="primero",
            clock=("{h}", "{h} y {m}"),
            cents="con",
            money={"USD": ("dólar", "dólares"), "GBP": ("libra", "libras")},
            many=_same("millones", "millón", "billones", "mil"),
            of="de",
            feminine=frozenset(
                ("hora", "libra", "tonelada", "milla", "onza", "hectárea", "pulgada", "caloría", "rupia", "corona")
            ),
        ),
        "fr": Habits(
            short={
                "M.^": "monsieur",
                "Mme^": "madame",
                "Mlle^": "mademoiselle",
                "Dr^": "docteur",
                "Pr^": "professeur",
                "n°#": "numéro",
                "env.": "environ",
                "etc.": "et cetera",
                "p. ex.": "par exemple",
                "c.-à-d.": "c'est-à-dire",
            },
            until="à",
            first="premier",
            clock=("{h} heures", "{h} heures {m}"),
            money={"USD": ("dollar", "dollars"), "GBP": ("livre", "livres")},
            many=_same("mille", "million", "millions", "milliard", "milliards"),
            of="de",
            feminine=frozenset(("heure", "minute", "seconde", "tonne", "livre", "once", "roupie", "couronne")),
        ),
        "de": Habits(
            short={
                "Dr.^": "Doktor",
                "Prof.^": "Professor",
                "St.^": "Sankt",
                "Nr.#": "Nummer",
                "ca.": "circa",
                "bzw.": "beziehungsweise",
                "d. h.": "das heißt",
                "u. a.": "unter anderem",
                "usw.": "und so weiter",
                "z. B.": "zum Beispiel",
                "Mio.": "Millionen",
                "Mrd.": "Milliarden",
            },
            until="bis",
            ordinal_days=True,
            clock=("{h} Uhr", "{h} Uhr {m}"),
            money={"USD": ("Dollar", "Dollar"), "GBP": ("Pfund", "Pfund")},
            many=_same("Tausend", "Million", "Millionen", "Milliarde", "Milliarden"),
            feminine=frozenset(("Stunde", "Minute", "Sekunde", "Tonne", "Meile", "Unze", "Krone", "Rupie")),
        ),
        "it": Habits(
            short={
                "Sig.^": "signor",
                "Sig.ra^": "signora",
                "Dott.^": "dottor",
                "Dott.ssa^": "dottoressa",
                "Prof.^": "professor",
                "n.#": "numero",
                "pag.#": "pagina",
                "ecc.": "eccetera",
                "p. es.": "per esempio",
                "ad es.": "ad esempio",
            },
            until="a",
            first="primo",
            clock=("{h}", "{h} e {m}"),
            cents="e",
            money={"USD": ("dollaro", "dollari"), "GBP": ("sterlina", "sterline")},
            many=_same("mila", "milione", "milioni", "miliardo", "miliardi"),
            of="di",
            feminine=frozenset(("ora", "tonnellata", "libbra", "oncia", "sterlina", "rupia", "corona", "caloria")),
        ),
        "pt": Habits(
            short={
                "Sr.^": "senhor",
                "Sra.^": "senhora",
                "Dr.^": "doutor",
                "Dra.^": "doutora",
                "n.º#": "número",
                "pág.#": "página",
                "aprox.": "aproximadamente",
                "etc.": "et cetera",
                "p. ex.": "por exemplo",
            },
            until="a",
            first="primeiro",
            clock=("{h} horas", "{h} e {m}"),
            cents="e",
            money={"USD": ("dólar", "dólares"), "GBP": ("libra", "libras")},
            many=_same("mil", "milhão", "milhões", "bilhão", "bilhões"),
            of="de",
            feminine=frozenset(("hora", "libra", "tonelada", "milha", "onça", "polegada", "caloria", "rupia", "coroa")),
        ),
        "nl": Habits(
            short={
                "dhr.^": "meneer",
                "mevr.^": "mevrouw",
                "dr.^": "dokter",
                "prof.^": "professor",
                "nr.#": "nummer",
                "ca.": "circa",
                "bijv.": "bijvoorbeeld",
                "d.w.z.": "dat wil zeggen",
                "enz.": "enzovoort",
                "o.a.": "onder andere",
            },
            until="tot",
            clock=("{h} uur", "{h} uur {m}"),
            money={"USD": ("dollar", "dollar"), "GBP": ("pond", "pond")},
            many=_same("duizend", "miljoen", "miljard"),
        ),
        "ca": Habits(
            short={
                "Sr.^": "senyor",
                "Sra.^": "senyora",
                "Dr.^": "doctor",
                "Dra.^": "doctora",
                "núm.#": "número",
                "pàg.#": "pàgina",
                "etc.": "etcètera",
                "p. ex.": "per exemple",
            },
            until="a",
            point={",": "coma"},
            clock=("{h}", "{h} i {m}"),
            cents="amb",
            money={"USD": ("dòlar", "dòlars"), "GBP": ("lliura", "lliures")},
            many=_same("mil", "milió", "milions"),
            of="de",
            feminine=frozenset(("hora", "hores", "lliura", "lliures", "tona", "tones", "milla", "milles", "unces")),
        ),
    }
)
"""Of other languages only what the libraries know is read: numbers, dates, units and currencies."""
