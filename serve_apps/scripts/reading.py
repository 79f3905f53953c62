"""The script of a language, as its result or draft has it."""

import json
from dataclasses import dataclass
from typing import Any

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.records import Job, ScriptEdits
from serve_apps.services import Services


@dataclass(frozen=True, slots=True)
class EditableScript:
    """A document, and what people have written.

    Attributes:
        document: As the flow made it (`dubflow.script/1`).
        edits: The newest.
        made: Those that the document was made with.
    """

    job_id: str
    language: str
    document: dict[str, Any]
    edits: ScriptEdits
    made: ScriptEdits

    @property
    def utterances(self) -> list[dict[str, Any]]:
        """The document's lines."""
        found: list[dict[str, Any]] = self.document["utterances"]
        return found


def read_script(services: Services, job: Job, language: str) -> EditableScript:
    """The script of one of a job's languages.

    Raises:
        DubflowError: `conflict` where there is none yet.
    """
    document = _document(services, job, language)
    ledger, revision = services.ledger, document.get("revision", 0)
    return EditableScript(
        job_id=job.id,
        language=language,
        document=document,
        edits=ledger.edits(job.id, language),
        made=ledger.edits(job.id, language, revision),
    )


def _document(services: Services, job: Job, language: str) -> dict[str, Any]:
    key = _key(services, job, language)
    try:
        text = services.blobs.get_bytes(key)
    except DubflowError as error:
        # A new result has taken the former one's place since its key was read.
        newer = _key(services, job, language)
        if error.code is not ErrorCode.NOT_FOUND or newer == key:
            raise
        text = services.blobs.get_bytes(newer)
    document: dict[str, Any] = json.loads(text)
    return document


def _key(services: Services, job: Job, language: str) -> str:
    key = next((output.script for output in services.ledger.outputs(job.id) if output.language == language), "")
    if not key:
        message = f"there is no script in {language} yet; it comes with the review, or with the result"
        raise DubflowError(ErrorCode.CONFLICT, message)
    return key
