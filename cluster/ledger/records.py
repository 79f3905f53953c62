from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from cluster.errors import ErrorCode


class JobStatus(StrEnum):
    """What a user sees of a job."""

    UPLOADED = "uploaded"
    PROCESSING = "processing"
    AWAITING_REVIEW = "awaiting_review"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """True where nothing more happens unless somebody asks for it."""
        return self in {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}

    @property
    def idle(self) -> bool:
        """True where no flow has or is going to get the job before somebody asks for it."""
        return self.terminal or self is JobStatus.AWAITING_REVIEW


class Review(StrEnum):
    """Where a job stands that pauses before it speaks; other jobs have none."""

    WANTED = "wanted"
    GIVEN = "given"


class StageStatus(StrEnum):
    """What a user sees of a stage, a part or an output."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def terminal(self) -> bool:
        """True where the work is over, well or badly."""
        return self in {StageStatus.COMPLETED, StageStatus.FAILED}


class Stage(StrEnum):
    """The stages of a job, in order, under the names that users see."""

    VALIDATION = "validation"
    SEPARATION = "separation"
    DIARIZATION = "diarization"
    SEGMENTATION = "segmentation"
    TRANSCRIPTION = "transcription"
    GENDER_DETECTION = "gender_detection"
    TRANSLATION = "translation"
    VOICE_ASSIGNMENT = "voice_assignment"
    SYNTHESIS = "synthesis"
    ASSEMBLY = "assembly"
    COMBINATION = "combination"

    @property
    def percent(self) -> int:
        """Progress of a job once this stage and all before it are over."""
        return _PERCENT[self]

    @property
    def per_language(self) -> bool:
        """True for the stages that run once for each target language."""
        return self in _PER_LANGUAGE


_PERCENT = {
    Stage.VALIDATION: 5,
    Stage.SEPARATION: 10,
    Stage.DIARIZATION: 15,
    Stage.SEGMENTATION: 20,
    Stage.TRANSCRIPTION: 35,
    Stage.GENDER_DETECTION: 40,
    Stage.TRANSLATION: 50,
    Stage.VOICE_ASSIGNMENT: 60,
    Stage.SYNTHESIS: 75,
    Stage.ASSEMBLY: 85,
    Stage.COMBINATION: 95,
}

_PER_LANGUAGE = frozenset(
    {Stage.TRANSLATION, Stage.VOICE_ASSIGNMENT, Stage.SYNTHESIS, Stage.ASSEMBLY, Stage.COMBINATION}
)


class Priority(IntEnum):
    """Higher is claimed first."""

    BULK = 0
    INTERACTIVE = 10


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something failed, as a user sees it."""

    code: ErrorCode
    message: str
    stage: Stage | None = None


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What somebody wants dubbed.

    Attributes:
        source_uri: `file:///...` or `s3://bucket/key`.
        source_version: Changes with the source's content: an ETag, or size and modification time.
        target_languages: BCP-47, without repetition.
        destination: Folder or prefix that gets the finished files, as a URI.
        source_language: BCP-47, or None to detect it.
        stem: Name of the finished files without language and extension, with relative folders where there are any.
        options: What else decides the result; JSON.
        tenant: Who asks; artefacts are never shared between tenants.
        priority: Interactive work overtakes bulk work.
        batch: Names the command or backfill that submitted the job.
        name: Of the source, to show to people.
        user_id: Whom of the tenant's people it is for.
        webhook_url: Who is told of the job's end.
        review: Wait for a person before anything is spoken.
        key_id: API key of who asks, where it took one.
        consent: Version of the words (`cluster.consent`) under which they state that the speakers may be cloned; None
            where they do not.
    """

    source_uri: str
    source_version: str
    target_languages: tuple[str, ...]
    destination: str
    stem: str
    source_language: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    tenant: str = "default"
    priority: Priority = Priority.INTERACTIVE
    batch: str = ""
    name: str = ""
    user_id: str = ""
    webhook_url: str = ""
    review: bool = False
    key_id: str = ""
    consent: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the ledger holds it. Times are UTC seconds since the epoch on the database's clock.

    Attributes:
        attempt: How often it was claimed since it was last submitted or retried; 0 before the first claim.
        progress: 0 to 100; never falls within an attempt.
        warnings: (code, message) pairs, e.g. `no_speech`.
        seq: Number of its latest event: what a watcher who has just read the job continues after.
        reviewed: Where a review was wanted, somebody has given it.
        media_seconds: Decoded length of the source; None before it was decoded.
    """

    id: str
    request: JobRequest
    status: JobStatus
    attempt: int
    progress: float
    created_at: float
    updated_at: float
    failure: Failure | None = None
    warnings: tuple[tuple[str, str], ...] = ()
    seq: int = 0
    reviewed: bool = False
    media_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs of a list; `cursor` asks for those after them, None where there are none."""

    jobs: tuple[Job, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Jobs of one priority that wait.

    Attributes:
        oldest_seconds: How long the oldest of them has waited; 0 where there is none.
    """

    priority: Priority
    jobs: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job. `fence` rises with every claim; writes with an older one change nothing."""

    job_id: str
    owner: str
    fence: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A job and the lease on it."""

    lease: Lease
    job: Job


@dataclass(frozen=True, slots=True)
class InHand:
    """How many jobs an owner holds, by how they were asked for."""

    interactive: int
    bulk: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.interactive + self.bulk


@dataclass(frozen=True, slots=True)
class FlowState:
    """A service's flow as its supervisor sees it; times are seconds that have passed on the database's clock.

    Attributes:
        owner: In whose name it claims jobs.
        cell: Which of a deployment's flows it is.
        configuration: Digest of what it was started with.
        age: Since it started.
        silent: Since its executor last turned.
        draining: Since it was asked to end; None where it was not.
        grown_bytes: Memory that its process has gained since it started.
    """

    owner: str
    cell: str
    configuration: str
    age: float
    silent: float
    draining: float | None
    grown_bytes: int


@dataclass(frozen=True, slots=True)
class PartId:
    """One piece of a stage's work: scene or passage `index`, of one target language where the stage has those."""

    stage: Stage
    index: int
    language: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A part as the ledger holds it.

    Attributes:
        key: Key of what the part makes; another key means other work.
        attempts: How often it was begun with this key.
        seconds: How long its last run took.
    """

    id: PartId
    key: str
    status: StageStatus
    attempts: int
    seconds: float
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class StageState:
    """How far a stage is.

    Attributes:
        expected: How many parts it has; None while that is not known.
        done: Parts that ended well.
        failed: Parts that ended badly.
        seconds: Sum over its parts of their running times.
    """

    stage: Stage
    language: str
    status: StageStatus
    expected: int | None
    done: int
    failed: int
    seconds: float
    started_at: float | None = None
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """One language of a job.

    Attributes:
        files: URI of each finished file by type: `video` or `audio`, `srt`, `vtt`, `script`. They stay while the
            language is made again, until others replace them.
        report: The report of the script, once finished.
        revision: Of the script's edits that it is, or was last, made with.
        script: Key in the blob store of the script as a document: the draft under review, then the published one.
    """

    language: str
    status: StageStatus
    files: dict[str, str] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    revision: int = 0
    script: str = ""


@dataclass(frozen=True, slots=True)
class ScriptEdits:
    """What people have changed in the script of one language.

    Attributes:
        revision: Counts the changes; 0 is the machine's own script.
        texts: By utterance id; the empty text keeps the line's original sound.
    """

    revision: int
    texts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that there is to see of a job at one moment."""

    job: Job
    stages: tuple[StageState, ...]
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Removal:
    """A job that is gone for everybody, and whose files are going.

    Attributes:
        source_uri: Of the job.
        source_version: Of the job.
        destination: Of the job.
        done: Its files were removed once; a last worker that had not noticed may still have written some.
    """

    job_id: str
    tenant: str
    source_uri: str
    source_version: str
    destination: str
    done: bool


@dataclass(frozen=True, slots=True)
class Event:
    """Something that watchers want to know; `seq` counts from 1 within a job, without gaps."""

    job_id: str
    seq: int
    at: float
    kind: str
    data: dict[str, Any]


class EventKind(StrEnum):
    """What an event tells about; its `data` carries the new state of that, never a difference to the old one."""

    JOB = "job"
    STAGE = "stage"
    OUTPUT = "output"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class SupportedLanguage:
    """A language that the service offers.

    Attributes:
        code: BCP-47.
        name: In English.
        native_name: As its speakers write it.
        source: Can be dubbed from.
        target: Can be dubbed into.
        voice_cloning: The speaker's own voice can be kept.
    """

    code: str
    name: str
    native_name: str
    source: bool = True
    target: bool = True
    voice_cloning: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an upload that is safe in a blob of its own.

    Attributes:
        offset: Bytes of the file before it.
        size: Bytes.
        key: Of its blob; no two tries to send the same piece may have the same.
    """

    offset: int
    size: int
    key: str


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that arrives in pieces. Times are UTC seconds since the epoch on the database's clock.

    Attributes:
        name: Of the file, to show to people.
        size: Announced bytes.
        received: Bytes that are safe, from the first on; of chunks only, an object store counts its own parts.
        complete: The blob is there, whole and checked: a job can have it as its source.
        key: Of the blob.
        multipart: What the object store calls its own upload in parts; empty where chunks come through the doors.
        uri: Of the blob, once it is complete; what a job takes as `source_uri`.
        version: Of the blob, once it is complete; what a job takes as `source_version`.
    """

    id: str
    tenant: str
    name: str
    size: int
    received: int
    complete: bool
    key: str
    multipart: str
    uri: str
    version: str
    created_at: float
    expires_at: float
