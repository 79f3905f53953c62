"""The languages of a job, held against those that the service offers."""

from collections.abc import Sequence

from cluster.errors import DubflowError, ErrorCode
from cluster.languages import nearest, parse_language, parse_languages, serves
from cluster.ledger.records import SupportedLanguage
from serve_apps.problems import ProblemError

DETECT = frozenset({"", "auto"})


def choose_source(written: str, offered: Sequence[SupportedLanguage]) -> str | None:
    """The language that a source is said to speak, or None where it is to be detected.

    Args:
        written: A tag, an English name, or `auto`.
        offered: What the flow has published; empty where it never ran, and then any language will do.

    Raises:
        DubflowError: `unsupported_language`, with the nearest one that there is.
    """
    if written.strip().lower() in DETECT:
        return None
    return _choose(written, [one.code for one in offered if one.source], "source_language", "from")


def choose_targets(
    written: Sequence[str], source: str | None, offered: Sequence[SupportedLanguage], most: int
) -> tuple[str, ...]:
    """The languages to dub into, without repetition.

    Args:
        written: Tags and English names, also several in one, divided by commas.
        source: As `choose_source` gave it.
        offered: What the flow has published; empty where it never ran, and then any language will do.
        most: More than this are refused.

    Raises:
        DubflowError: `unsupported_language`, with the nearest one that there is; `invalid_request`.
    """
    field, codes = "target_languages", [one.code for one in offered if one.target]
    pieces = [piece for text in written for piece in text.split(",") if piece.strip()]
    chosen = parse_languages(_choose(piece, codes, field, "into") for piece in pieces)
    if len(chosen) > most:
        raise DubflowError(ErrorCode.INVALID_REQUEST, f"a job has {most} target languages at most")
    for tag in chosen:
        if source is not None and serves(tag, [source]):
            raise _refusal(f"the source speaks {source} already; choose another language than {tag}", field)
    return chosen


def _choose(written: str, available: Sequence[str], field: str, way: str) -> str:
    try:
        tag = parse_language(written)
    except DubflowError as error:
        raise _refusal(f"there is no language {written.strip()[:100]!r}{_hint(written, available)}", field) from error
    if available and not serves(tag, available):
        raise _refusal(f"the service does not dub {way} {tag}{_hint(tag, available)}", field)
    return tag


def _hint(written: str, available: Sequence[str]) -> str:
    near = nearest(written, available)
    meant = f"; did you mean {near}?" if near else ";"
    return f"{meant} GET /api/v1/languages lists all"


def _refusal(message: str, field: str) -> ProblemError:
    return ProblemError(ErrorCode.UNSUPPORTED_LANGUAGE, message, errors=[{"field": field, "message": message}])
