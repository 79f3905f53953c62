"""What answers about files look like."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, JsonValue

_EXAMPLE: dict[str, JsonValue] = {
    "download_url": "/api/v1/files/u3Jx...",
    "filename": "interview.es.mp4",
    "file_size": 18354112,
    "expires_at": "2026-11-23T13:00:00Z",
}


class FileKind(StrEnum):
    """What of a job can be downloaded."""

    VIDEO = "video"
    AUDIO = "audio"
    SRT = "srt"
    VTT = "vtt"
    SCRIPT = "script"
    SOURCE = "source"


class Download(BaseModel):
    """Where a file is to be had."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, json_schema_extra={"examples": [_EXAMPLE]})

    download_url: str
    """Needs no key, until it expires; relative to the service's address, or that of an object store."""
    filename: str
    file_size: int
    """Bytes."""
    expires_at: datetime


class Waveform(BaseModel):
    """How loud a track is over its length."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    duration: float
    """Seconds."""
    peaks: list[float] = Field(max_length=2000)
    """The highest sample of equal stretches, from 0 to 1."""
