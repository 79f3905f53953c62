import csv
from pathlib import Path

from cluster.errors import DubflowError, ErrorCode


def read_glossary(path: Path) -> tuple[tuple[str, str], ...]:
    """The (source term, target term) pairs of a CSV file; empty lines and lines that begin with `#` are left out.

    Raises:
        DubflowError: `not_found`, or `invalid_request` with the number of the line that is no pair.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DubflowError(ErrorCode.NOT_FOUND, f"{path}: the glossary is no readable UTF-8 text: {error}") from error
    pairs = []
    for number, row in enumerate(csv.reader(text.splitlines()), start=1):
        terms = [term.strip() for term in row]
        if not any(terms) or terms[0].startswith("#"):
            continue
        if len(terms) != 2 or not all(terms):  # noqa: PLR2004 - source and target
            raise DubflowError(
                ErrorCode.INVALID_REQUEST, f"{path}, line {number}: write one pair a line: source term,target term"
            )
        pairs.append((terms[0], terms[1]))
    return tuple(pairs)
