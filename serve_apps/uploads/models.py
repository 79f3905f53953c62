"""What requests and answers about uploads look like."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_MAX_NAME = 255
_UPLOAD_ID = "0b9f6f0c6c1f4f4b8f0e2b9a7c5d3e1f"


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class UploadOrder(BaseModel):
    """A file that is going to be sent."""

    model_config = ConfigDict(
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"name": "interview.mp4", "size": 734003200}]},
    )

    name: Annotated[str, StringConstraints(min_length=1, max_length=_MAX_NAME)]
    """Of the file; people see it, and its extension has to be that of video or audio."""
    size: Annotated[int, Field(gt=0, lt=2**53, strict=True)]
    """Bytes."""


class UploadState(StrEnum):
    """Whether a job can have an upload as its source."""

    OPEN = "open"
    COMPLETE = "complete"


class UploadPart(_Answer):
    """One part: bytes `offset` to `offset + size` of the file."""

    number: int
    """From 1."""
    offset: int
    size: int
    url: str
    """Where to `PUT` its bytes."""
    received: bool
    """It is there, and need not be sent again."""


class UploadParts(_Answer):
    """Some parts of an upload."""

    parts: list[UploadPart]
    next_part: int | None
    """`first` of the request for those after them; null where there are none."""


class UploadAnswer(_Answer):
    """An upload."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "upload_id": _UPLOAD_ID,
                    "status": "open",
                    "name": "interview.mp4",
                    "size": 734003200,
                    "offset": 16777216,
                    "part_bytes": 8388608,
                    "part_count": 88,
                    "direct": False,
                    "upload_url": f"/api/v1/uploads/{_UPLOAD_ID}",
                    "parts_url": f"/api/v1/uploads/{_UPLOAD_ID}/parts",
                    "complete_url": f"/api/v1/uploads/{_UPLOAD_ID}/complete",
                    "expires_at": "2026-11-23T12:00:00Z",
                    "parts": [],
                }
            ]
        }
    )

    upload_id: str
    status: UploadState
    name: str
    size: int
    offset: int
    """Bytes that are safe, from the first on: where to go on."""
    part_bytes: int
    """Of every part but the last, which may be shorter."""
    part_count: int
    direct: bool
    """True: parts go straight to an object store, in any order, without the API key. False: they go to the service, one
    after the other, with the key; or as `PATCH upload_url` with `Upload-Offset`."""
    upload_url: str
    parts_url: str
    complete_url: str
    expires_at: datetime
    parts: list[UploadPart]
    """The first ones, where the upload is new; others by `parts_url`."""
