"""Where things lie in the blob store. What belongs to a tenant, a source or a job has a prefix that goes with it."""

from cluster.blobs.contract import BlobStore
from cluster.keys import digest

RESULTS = "results"
"""Prefix of the finished files of all jobs of the service."""


def upload(tenant: str, upload_id: str) -> str:
    """Prefix of one uploaded file; in it lies one blob."""
    return f"{_uploads(tenant)}/{upload_id}"


def results(tenant: str, name: str) -> str:
    """Prefix of the finished files of one job of the service."""
    return f"{_results(tenant)}/{name}"


def artefacts(tenant: str, source_uri: str, source_version: str) -> str:
    """Prefix of all that was made of one source.

    Sources do not share, although artefacts are named by their content: what came from a source goes when the last job
    on it goes, voices included, except those that a series keeps.
    """
    return f"artefacts/{tenant}/{digest(source_uri, source_version)}"


def derived(tenant: str, job_id: str) -> str:
    """Prefix of what doors make of a job's files to show them: clips, pictures."""
    return f"derived/{tenant}/{job_id}"


def documents(tenant: str, job_id: str) -> str:
    """Prefix of a job's scripts as documents: they hold words that people have written."""
    return f"documents/{tenant}/{job_id}"


def voice(tenant: str, voice_id: str) -> str:
    """Prefix of the sounds of one person of a series: they outlive its sources, until it is forgotten."""
    return f"voices/{tenant}/{voice_id}"


def paces(tenant: str) -> str:
    """Prefix of what was learned of the rates of voices: numbers, which outlive the sources that told them."""
    return f"paces/{tenant}"


def upload_of(blobs: BlobStore, tenant: str, source_uri: str) -> str | None:
    """Id of the upload that a source is; None for a source that lies elsewhere."""
    return _first_segment(blobs, _uploads(tenant), source_uri)


def results_of(blobs: BlobStore, tenant: str, destination: str) -> str | None:
    """Prefix of a destination of ours; None for one that lies elsewhere, such as a user's own folder."""
    name = _first_segment(blobs, _results(tenant), destination)
    return None if name is None else results(tenant, name)


def _uploads(tenant: str) -> str:
    return f"uploads/{tenant}"


def _results(tenant: str) -> str:
    return f"{RESULTS}/{tenant}"


def _first_segment(blobs: BlobStore, prefix: str, uri: str) -> str | None:
    here = f"{blobs.uri(prefix)}/"
    segment = uri.removeprefix(here).partition("/")[0]
    return segment if uri.startswith(here) and segment.isalnum() and segment.isascii() else None
