"""Rows of the database as records, and records as columns."""

import json
from typing import Any

from sqlalchemy import RowMapping

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.records import (
    Event,
    Failure,
    Job,
    JobRequest,
    JobStatus,
    Output,
    Part,
    PartId,
    Priority,
    Review,
    Stage,
    StageStatus,
)


def to_json(value: Any) -> str:
    """Render plain JSON values for a column.

    Raises:
        DubflowError: `invalid_request` for anything that JSON cannot hold, NaN included.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise DubflowError(ErrorCode.INVALID_REQUEST, f"the ledger keeps only plain JSON values: {error}") from error


def storable(text: str) -> str:
    """Replace what one of the databases refuses in text: lone surrogates and NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def job_of(row: RowMapping) -> Job:
    """A row of `jobs`."""
    return Job(
        id=row["id"],
        request=_request_of(row),
        status=JobStatus(row["status"]),
        attempt=row["attempt"],
        progress=row["progress"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        failure=failure_of(row),
        warnings=tuple((code, message) for code, message in json.loads(row["warnings"])),
        seq=row["seq"],
        reviewed=row["review"] == Review.GIVEN,
        media_seconds=row["media_seconds"],
    )


def part_of(row: RowMapping) -> Part:
    """A row of `parts`."""
    return Part(
        id=PartId(Stage(row["stage"]), row["index"], row["language"]),
        key=row["key"],
        status=StageStatus(row["status"]),
        attempts=row["attempts"],
        seconds=row["seconds"],
        failure=failure_of(row),
    )


def output_of(row: RowMapping) -> Output:
    """A row of `outputs`."""
    return Output(
        language=row["language"],
        status=StageStatus(row["status"]),
        files=json.loads(row["files"]),
        report=json.loads(row["report"]),
        failure=failure_of(row),
        revision=row["revision"] or 0,
        script=row["script"] or "",
    )


def event_of(row: RowMapping) -> Event:
    """A row of `events`."""
    return Event(row["job_id"], row["seq"], row["at"], row["kind"], json.loads(row["data"]))


def failure_of(row: RowMapping) -> Failure | None:
    """The failure that a row carries, if any."""
    if row["failure_code"] is None:
        return None
    stage = row["failure_stage"]
    return Failure(_code(row["failure_code"]), row["failure_message"], Stage(stage) if stage in set(Stage) else None)


def failure_columns(failure: Failure | None) -> dict[str, str | None]:
    """The columns that carry a failure, empty for None."""
    if failure is None:
        return {"failure_code": None, "failure_message": None, "failure_stage": None}
    return {
        "failure_code": failure.code.value,
        "failure_message": storable(failure.message),
        "failure_stage": failure.stage.value if failure.stage else None,
    }


def failure_data(failure: Failure | None) -> dict[str, str | None] | None:
    """A failure as events carry it."""
    if failure is None:
        return None
    return {
        "code": failure.code.value,
        "message": failure.message,
        "stage": failure.stage.value if failure.stage else None,
    }


def _request_of(row: RowMapping) -> JobRequest:
    return JobRequest(
        source_uri=row["source_uri"],
        source_version=row["source_version"],
        target_languages=tuple(json.loads(row["target_languages"])),
        destination=row["destination"],
        stem=row["stem"],
        source_language=row["source_language"],
        options=json.loads(row["options"]),
        tenant=row["tenant"],
        priority=Priority(row["priority"]),
        batch=row["batch"],
        name=row["name"] or "",
        user_id=row["user_id"] or "",
        webhook_url=row["webhook_url"] or "",
        review=row["review"] is not None,
        key_id=row["key_id"] or "",
        consent=row["consent"],
    )


def _code(value: str) -> ErrorCode:
    # During a rolling upgrade a newer version may have written a code that this one does not know.
    return ErrorCode(value) if value in set(ErrorCode) else ErrorCode.INTERNAL
