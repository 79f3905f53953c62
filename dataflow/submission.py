"""From what a user wants to jobs in the ledger: one for each source, found again when the same is wanted twice."""

from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any

from cluster.blobs.contract import BlobStore
from cluster.blobs.store import open_blobs
from cluster.consent import CONSENT
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Job, JobRequest, JobStatus
from cluster.settings import Settings
from cluster.sources import describe_source
from dataflow.inputs import Input
from dataflow.naming import file_name
from dataflow.records import JobOptions, to_plain
from dataflow.report import read_document, request_digest


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of every input.

    Attributes:
        source_language: BCP-47, or None to detect it.
        folder: Local folder of the results.
        overwrite: Results that exist are replaced.
        skip: Results that exist are left, without an error.
    """

    target_languages: tuple[str, ...]
    source_language: str | None
    folder: Path
    options: JobOptions
    overwrite: bool = False
    skip: bool = False


class Standing(Enum):
    """What lies where a result is going to be."""

    NOTHING = auto()
    THE_SAME = auto()
    SOMETHING_ELSE = auto()


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of an input.

    Attributes:
        job: The job that makes the languages that are still to be made; None where there are none.
        to_make: Languages that the job is waited for.
        done: Documents of results that exist already, by language.
        skipped: Languages whose results exist and are left alone.
        refused: Languages whose results exist and must not be overwritten.
    """

    input: Input
    job: Job | None
    to_make: tuple[str, ...]
    done: dict[str, dict[str, Any]]
    skipped: tuple[str, ...]
    refused: tuple[str, ...]


def submit(one: Input, wanted: Wanted, ledger: Ledger, settings: Settings, batch: str) -> Submission:
    """Put an input into the queue, except for the languages that are there already.

    Raises:
        DubflowError: The source is not there.
    """
    source = describe_source(one.location, s3_endpoint_url=settings.s3_endpoint_url)
    request = JobRequest(
        source_uri=source.uri,
        source_version=source.version,
        target_languages=wanted.target_languages,
        destination=wanted.folder.resolve().as_uri(),
        stem=one.stem,
        source_language=wanted.source_language,
        options=to_plain(wanted.options),
        batch=batch,
        consent=CONSENT if wanted.options.clone_voices else None,
    )
    known = ledger.find(request)
    in_work = known is not None and known.status is not JobStatus.COMPLETED
    store = open_blobs(request.destination, settings.s3_endpoint_url)
    standing = {language: _standing(store, request, language) for language in wanted.target_languages}
    done = {
        language: read_document(store, request.stem, language)
        for language, what in standing.items()
        if what is Standing.THE_SAME and not wanted.overwrite
    }
    foreign = () if wanted.overwrite or in_work else tuple(_of(standing, Standing.SOMETHING_ELSE))
    to_make = tuple(tag for tag in wanted.target_languages if tag not in done and tag not in foreign)
    return Submission(
        input=one,
        job=_queue(ledger, known, replace(request, target_languages=to_make)) if to_make else None,
        to_make=to_make,
        done=done,
        skipped=foreign if wanted.skip else (),
        refused=() if wanted.skip else foreign,
    )


def _queue(ledger: Ledger, known: Job | None, remaining: JobRequest) -> Job:
    """A known job is continued with all its languages: what it has published stays."""
    job = ledger.submit(remaining if known is None else replace(known.request, batch=remaining.batch))
    return ledger.requeue(job.id, remaining.batch, remaining.target_languages) if job.status.terminal else job


def _standing(store: BlobStore, request: JobRequest, language: str) -> Standing:
    names = [file_name(request.stem, language, suffix) for suffix in (".mp4", ".m4a")]
    if not any(store.exists(name) for name in names):
        return Standing.NOTHING
    document = read_document(store, request.stem, language)
    same = document.get("request") == request_digest(request)
    return Standing.THE_SAME if same else Standing.SOMETHING_ELSE


def _of(standing: dict[str, Standing], what: Standing) -> list[str]:
    return [language for language, found in standing.items() if found is what]


def finished_files(one: Input, wanted: Wanted, language: str) -> dict[str, str]:
    """URIs of the files that exist of a result, by type."""
    store = open_blobs(wanted.folder.resolve().as_uri())
    kinds = {"video": ".mp4", "audio": ".m4a", "srt": ".srt", "vtt": ".vtt", "script": ".json"}
    names = {kind: file_name(one.stem, language, suffix) for kind, suffix in kinds.items()}
    return {kind: store.uri(name) for kind, name in names.items() if store.exists(name)}


def refusal(one: Input, language: str) -> DubflowError:
    """What a user is told whose result would be overwritten."""
    return DubflowError(
        ErrorCode.CONFLICT,
        f"{one.named}: a result for {language} exists that was made otherwise; -y overwrites it, -n leaves it",
    )
