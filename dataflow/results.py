import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from cluster.errors import DubflowError
from cluster.ledger.records import Failure, Output, StageStatus


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one input in one language; `language` is empty where the input itself failed.

    Attributes:
        status: `completed`, `failed` or `skipped`.
        files: URIs of the finished files by type.
        seconds: From submission to the end.
    """

    input: str
    language: str
    status: str
    files: dict[str, str] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    seconds: float = 0.0

    @classmethod
    def failed(cls, name: str, error: DubflowError, language: str = "") -> "Result":
        """An input that never became a job."""
        return cls(name, language, "failed", failure=Failure(error.code, error.message))

    @classmethod
    def of(cls, name: str, output: Output, failure: Failure | None, seconds: float) -> "Result":
        """One output of a job that is over; `failure` is the job's own."""
        completed = output.status is StageStatus.COMPLETED
        return cls(
            name,
            output.language,
            "completed" if completed else "failed",
            output.files,
            output.report,
            None if completed else output.failure or failure,
            seconds,
        )

    @property
    def output(self) -> str | None:
        """The dubbed file: a path where it is on this machine, else a URI."""
        uri = self.files.get("video") or self.files.get("audio")
        return local(uri) if uri else None

    def to_json(self) -> dict[str, Any]:
        """The promised line."""
        failure = self.failure
        return {
            "input": self.input,
            "language": self.language,
            "status": self.status,
            "output": self.output,
            "subtitles": [local(self.files[kind]) for kind in ("srt", "vtt") if kind in self.files],
            "script": local(self.files["script"]) if "script" in self.files else None,
            "report": self.report or None,
            "error": {"code": failure.code, "message": failure.message, "stage": failure.stage} if failure else None,
            "seconds": round(self.seconds, 3),
        }


def local(uri: str) -> str:
    """The path of a `file://` URI; other URIs as they are."""
    parts = urlsplit(uri)
    return os.fsdecode(unquote_to_bytes(parts.path)) if parts.scheme == "file" else uri
