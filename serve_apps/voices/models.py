"""What requests and answers about the people of series look like."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cluster.series import MOST_CHARACTERS

MAX_VOICE = 200
MAX_LANGUAGES = 200

Language = Annotated[str, Field(min_length=1, max_length=200)]
VoiceName = Annotated[str, Field(min_length=1, max_length=MAX_VOICE)]


class AssignedVoiceView(BaseModel):
    """The voice that speaks for a person in one language."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    language: str
    engine: str | None
    """Whose voice it is; null where a person has chosen it."""
    voice: str
    by_hand: bool
    """A person has chosen it: it goes before all others."""


class ConsentView(BaseModel):
    """Somebody's statement that a person agrees to be cloned."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    job_id: str
    """For which it was stated; it may have been deleted since."""
    key_id: str | None
    """API key of who stated it."""
    wording: int
    """Version of the words."""
    words: str
    stated_at: datetime


class VoiceView(BaseModel):
    """A person of a series, without their voiceprint."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "voice_id": "4f0c1f0a6f5e4b0f9d2c7a1b3e5d7f90",
                    "series": "Life on Mars",
                    "label": "V3",
                    "name": "Ann",
                    "gender": "female",
                    "gender_confidence": 0.97,
                    "seconds": 412.5,
                    "cloned": False,
                    "voices": [{"language": "es", "engine": "kokoro", "voice": "ef_dora", "by_hand": False}],
                    "consents": [],
                    "created_at": "2026-11-21T09:03:10Z",
                    "met_at": "2026-11-28T09:02:41Z",
                }
            ]
        },
    )

    voice_id: str
    series: str
    label: str
    """Names the person within the series, for ever, also in scripts (`speakers[].library`)."""
    name: str
    """Given by people; empty where none was."""
    gender: str
    """`female`, `male` or `unknown`: as people say, or as it sounds over the whole series."""
    gender_confidence: float
    seconds: float
    """Of speech that the voiceprint was made from, as far as they still count."""
    cloned: bool
    """There is a sound that the person is cloned from."""
    voices: list[AssignedVoiceView]
    consents: list[ConsentView]
    created_at: datetime
    met_at: datetime
    """When a source last had the person."""


class VoicePage(BaseModel):
    """Some people of a list."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    items: list[VoiceView]
    next_cursor: str | None
    """Asks for those after them."""


class VoiceChange(BaseModel):
    """What to change; what is left out stays, null takes back what people have said."""

    model_config = ConfigDict(
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"name": "Ann", "gender": "female", "voices": {"es": "ef_dora", "fr": None}}]},
    )

    name: Annotated[str, Field(max_length=MOST_CHARACTERS)] | None = None
    gender: Literal["female", "male", "unknown"] | None = None
    voices: Annotated[dict[Language, VoiceName | None], Field(max_length=MAX_LANGUAGES)] = {}
    """Voice by language, as the speech engine calls it: goes before the one that was cast, and before a cloned one."""
