"""The languages of Whisper, and what BCP-47 calls them."""

from actors.languages import primary

CODES = frozenset(
    (  # noqa: SIM905 - a hundred quoted codes read worse
        "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he "
        "hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne "
        "nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk "
        "ur uz vi yi yo yue zh"
    ).split()
)
_BCP_47 = {"jw": "jv"}
_OURS = {"jv": "jw", "nb": "no", "fil": "tl", "cmn": "zh", "iw": "he", "in": "id"}

LANGUAGES = frozenset(_BCP_47.get(code, code) for code in CODES)
"""BCP-47."""


def to_bcp_47(code: str) -> str:
    """The tag of one of Whisper's codes."""
    return _BCP_47.get(code, code)


def to_code(language: str) -> str | None:
    """Whisper's code for a BCP-47 tag; None where it does not know the language."""
    code = _OURS.get(primary(language), primary(language))
    return code if code in CODES else None
