"""The rows between the operators: keys, times and small vectors, never audio. Declared here and nowhere else."""

from dataclasses import dataclass, fields
from typing import Any, Self

import pyarrow as pa

from actors.contracts.audio import Span
from cluster.ledger.records import Lease
from dataflow.records import Scene

_ARROW_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    tuple[float, ...]: pa.list_(pa.float64()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of one job, under the lease that it was claimed with."""

    job_id: str
    owner: str
    fence: int

    @property
    def lease(self) -> Lease:
        """The right to write what comes of this row."""
        return Lease(self.job_id, self.owner, self.fence)

    @classmethod
    def schema(cls) -> pa.Schema:
        """The Arrow schema of such rows."""
        return pa.schema([(field.name, _ARROW_TYPES[field.type]) for field in fields(cls)])

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> Self:
        """The row that Ray Data hands over, with plain Python values."""
        return cls(**{field.name: _plain(row[field.name], field.type) for field in fields(cls)})

    def to_dict(self) -> dict[str, Any]:
        """The row for Ray Data."""
        return {field.name: _arrow(getattr(self, field.name)) for field in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow(Row):
    """A claimed job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneRow(Row):
    """A scene on its way through the analysis. `closes` is set on the one that completes the job's scenes."""

    index: int
    start: float
    end: float
    audio_key: str
    audio_digest: str
    speech_starts: tuple[float, ...]
    speech_ends: tuple[float, ...]
    closes: bool = False

    @classmethod
    def of(cls, lease: Lease, scene: Scene) -> Self:
        """The row of a scene."""
        return cls(
            job_id=lease.job_id,
            owner=lease.owner,
            fence=lease.fence,
            index=scene.index,
            start=scene.span.start,
            end=scene.span.end,
            audio_key=scene.audio_key,
            audio_digest=scene.audio_digest,
            speech_starts=tuple(span.start for span in scene.speech),
            speech_ends=tuple(span.end for span in scene.speech),
        )

    @property
    def scene(self) -> Scene:
        """The scene of the row."""
        speech = tuple(Span(start, end) for start, end in zip(self.speech_starts, self.speech_ends, strict=True))
        return Scene(self.index, Span(self.start, self.end), self.audio_key, self.audio_digest, speech)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageRow(Row):
    """A passage of one target language on its way to speech, with the edits of one revision.

    `closes` is set on the one that completes the language.
    """

    language: str
    revision: int
    index: int
    first: int
    last: int
    script_key: str
    casting_key: str
    lines_key: str = ""
    closes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageRow(Row):
    """A target language with its track planned, of the edits of one revision."""

    language: str
    revision: int
    script_key: str
    casting_key: str
    timeline_key: str


def _plain(value: Any, kind: Any) -> Any:
    if kind == tuple[float, ...]:
        return tuple(float(item) for item in value)
    return kind(value)


def _arrow(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
