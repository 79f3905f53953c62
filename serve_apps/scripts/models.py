"""What requests and answers about scripts look like."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MAX_CHARACTERS = 2000
"""Of one line: more than anybody says in the fifteen seconds that a line lasts at most."""
MAX_LINES = 5000
MAX_ID = 32
_MAX_LANGUAGE = 200
_MAX_REVISION = 2**31 - 1

Language = Annotated[str, Field(max_length=_MAX_LANGUAGE)]


class LineEdit(BaseModel):
    """What one line is to say."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    id: Annotated[str, Field(min_length=1, max_length=MAX_ID)]
    """Of the utterance."""
    target_text: Annotated[str, Field(max_length=MAX_CHARACTERS)] | None
    """Empty keeps the line's original sound; null goes back to what the machine said."""


class ScriptEdit(BaseModel):
    """Changes of a script, all of them or none."""

    model_config = ConfigDict(
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "revision": 0,
                    "utterances": [
                        {"id": "u0001", "target_text": "Buenos días."},
                        {"id": "u0002", "target_text": None},
                    ],
                }
            ]
        },
    )

    revision: Annotated[int, Field(ge=0, le=_MAX_REVISION)]
    """Of the script that was edited; if somebody else has edited it since, the answer is a `conflict`."""
    utterances: Annotated[list[LineEdit], Field(min_length=1, max_length=MAX_LINES)]


class RedubOrder(BaseModel):
    """What to dub again; everything is optional."""

    model_config = ConfigDict(
        extra="forbid", use_attribute_docstrings=True, json_schema_extra={"examples": [{"language": "es"}, {}]}
    )

    language: Language | None = None
    """Only this one; by default all that were edited. A review is given for all languages of a job."""


class LanguagesOrder(BaseModel):
    """Further target languages."""

    model_config = ConfigDict(
        extra="forbid", use_attribute_docstrings=True, json_schema_extra={"examples": [{"target_languages": ["fr"]}]}
    )

    target_languages: Annotated[list[Language], Field(min_length=1, max_length=200)]
    """Tags such as `fr` or `pt-BR`, or English names."""


class LineWarning(BaseModel):
    """Why a line may not turn out as it should: `too_long`, `kept_original`."""

    code: str
    message: str


class LineView(BaseModel):
    """One utterance: what the result says of it, with what people have written laid over."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    speaker: str
    start: float
    """Seconds on the source's clock, as all times."""
    end: float
    source_text: str
    target_text: str
    """What is said, or is going to be once the job is dubbed again."""
    machine_text: str | None
    """The machine's translation; null where it had none."""
    edited: bool
    """A person has written the text."""
    changed: bool
    """The text is another than in the result, or the draft."""
    placed_start: float
    """Where the line was heard in the result."""
    placed_end: float
    rate: float
    budget_characters: int | None
    """What fits the line's time, by the measured rate of its voice."""
    flags: list[str]
    """docs/errors.md explains them."""
    warnings: list[LineWarning]


class ScriptView(BaseModel):
    """The script of one language: the document of the result, or of the draft, with all edits."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    format: str
    job_id: str
    target_language: str
    revision: int
    """Counts the edits; 0 where nobody has edited. To be sent back with the next edit."""
    made_revision: int
    """That the result, or the draft, was made with."""
    draft: bool
    """Nothing of it was spoken yet: the job waits for a review, or waited for one."""
    source: dict[str, Any]
    engines: dict[str, str]
    speakers: list[dict[str, Any]]
    utterances: list[LineView]
    report: dict[str, Any]
