from dataclasses import dataclass
from pathlib import Path

from cluster.errors import DubflowError, ErrorCode
from cluster.sources import SourceRef, describe_source
from dataflow.context import FlowContext, JobView
from dataflow.fetch import drop, fetch
from dataflow.media.probe import check_picture, choose_audio, probe
from dataflow.media.records import AudioTrack, MediaInfo, MediaLimits


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """A source at hand on this node, checked, with the audio track that is dubbed."""

    path: Path
    info: MediaInfo
    track: AudioTrack

    @property
    def suffix(self) -> str:
        """Of the dubbed file."""
        return ".mp4" if self.info.video else ".m4a"


def open_source(view: JobView, context: FlowContext) -> OpenedSource:
    """Fetch and probe a job's source.

    Raises:
        DubflowError: The source is not there, has changed, or is no media that can be dubbed.
    """
    settings = context.settings
    limits = MediaLimits.from_settings(settings)
    path = fetch(_described(view, context), _folder(context), limits, s3_endpoint_url=settings.s3_endpoint_url)
    info = probe(path, limits)
    check_picture(info)
    return OpenedSource(path, info, choose_audio(info, view.job.request.source_language))


def drop_source(view: JobView, context: FlowContext) -> None:
    """Free this node's copy of a source that nobody needs any more."""
    request = view.job.request
    drop(SourceRef(request.source_uri, request.source_version, 0, ""), _folder(context))


def _described(view: JobView, context: FlowContext) -> SourceRef:
    request = view.job.request
    source = describe_source(request.source_uri, s3_endpoint_url=context.settings.s3_endpoint_url)
    if source.version != request.source_version:
        raise DubflowError(
            ErrorCode.SOURCE_CHANGED, f"{source.name} was changed after it was submitted; submit it again"
        )
    return source


def _folder(context: FlowContext) -> Path:
    return context.scratch / "sources"
