"""What may be written into a script."""

from collections.abc import Iterator
from unicodedata import category

from cluster.errors import ErrorCode
from serve_apps.problems import ProblemError
from serve_apps.scripts.models import LineEdit, ScriptEdit
from serve_apps.scripts.reading import EditableScript

_REFUSED = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, what is no text, and line ends: a line is one line, in subtitles too."""


def checked_texts(edit: ScriptEdit, script: EditableScript) -> dict[str, str | None]:
    """The texts of an edit by utterance id.

    Raises:
        DubflowError: `invalid_request`, with all that is wrong, line by line.
    """
    errors = list(_errors(edit, {line["id"] for line in script.utterances}))
    if errors:
        raise ProblemError(ErrorCode.INVALID_REQUEST, f"the edit is not valid: {errors[0]['message']}", errors=errors)
    return {line.id: None if line.target_text is None else line.target_text.strip() for line in edit.utterances}


def _errors(edit: ScriptEdit, known: set[str]) -> Iterator[dict[str, str]]:
    seen: set[str] = set()
    for number, line in enumerate(edit.utterances):
        where = f"body.utterances.{number}"
        if line.id not in known:
            yield {"field": f"{where}.id", "message": "the script has no such utterance"}
        elif line.id in seen:
            yield {"field": f"{where}.id", "message": "the utterance is in the edit already"}
        seen.add(line.id)
        if _has_control_characters(line):
            yield {"field": f"{where}.target_text", "message": "control characters and line breaks cannot be spoken"}


def _has_control_characters(line: LineEdit) -> bool:
    return any(category(character) in _REFUSED for character in line.target_text or "")
