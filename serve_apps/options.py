"""What a job can be told beyond source and languages."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    NonNegativeFloat,
    model_validator,
)

from cluster.errors import DubflowError
from cluster.series import MOST_CHARACTERS, parse_series

MAX_SPEAKERS = 50
MAX_TERMS = 1000
_MAX_URL = 2000

Speakers = Annotated[int, Field(ge=1, le=MAX_SPEAKERS)]
Term = Annotated[str, Field(min_length=1, max_length=200)]
WebhookUrl = Annotated[HttpUrl, Field(max_length=_MAX_URL)]


def _series(text: str) -> str:
    try:
        return parse_series(text) if text.strip() else ""
    except DubflowError as error:
        raise ValueError(error.message) from error


SeriesName = Annotated[str, Field(max_length=MOST_CHARACTERS), AfterValidator(_series)]


def _pairs(glossary: Any) -> Any:
    return tuple(glossary.items()) if isinstance(glossary, Mapping) else glossary


class JobOptions(BaseModel):
    """Everything is optional."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [{"min_speakers": 1, "max_speakers": 2, "keep_background": True, "glossary": {"flow": "flujo"}}]
        },
    )

    min_speakers: Speakers | None = None
    """At least so many people speak."""

    max_speakers: Speakers | None = None
    """At most so many people speak."""

    glossary: Annotated[tuple[tuple[Term, Term], ...], BeforeValidator(_pairs), Field(max_length=MAX_TERMS)] = ()
    """How terms are translated: an object, or pairs of source term and target term."""

    keep_background: bool = False
    """Keep music and effects under the dub: as they are where an engine takes the voices away, else the whole original
    at a low level."""

    start: NonNegativeFloat = 0.0
    """Dub from here on, in seconds; before it the original is kept."""

    end: NonNegativeFloat | None = None
    """Dub up to here, in seconds; by default to the end."""

    clone_voices: bool = False
    """Speak with the speakers' own voices, where the service's engine can. By setting it you state that they agree; the
    job keeps that statement."""

    series: SeriesName = ""
    """The series that the source is of: in all its sources the same person keeps the same voices. What is known of the
    people is kept until you forget them, also when jobs are deleted: see `GET /voices`."""

    profile: str | None = None
    """Accepted for the sake of scripts and ignored: the service has one choice of engines."""

    review: bool = False
    """Wait in `awaiting_review` for a person to look at the translation before anything is spoken."""

    webhook_url: WebhookUrl | None = None
    """Who is told of the job's end, by a signed POST (Standard Webhooks)."""

    @model_validator(mode="after")
    def ranges_are_not_empty(self) -> Self:
        """Refuse a range whose end lies before its beginning."""
        if self.min_speakers and self.max_speakers and self.min_speakers > self.max_speakers:
            raise ValueError("min_speakers is more than max_speakers")
        if self.end is not None and self.end <= self.start:
            raise ValueError("end is not after start")
        return self

    def for_flow(self) -> dict[str, Any]:
        """What the flow reads from a job's options."""
        return self.model_dump(mode="json", include=set(FLOW_OPTIONS))


FLOW_OPTIONS = frozenset(
    {"min_speakers", "max_speakers", "glossary", "keep_background", "start", "end", "clone_voices", "series"}
)
"""The options that decide the result; all others are about the job."""
