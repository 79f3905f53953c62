from collections.abc import Callable, Sequence

from actors.contracts.diarization import Diarization, DiarizationRequest
from actors.contracts.engine import EngineError


def contradiction(request: DiarizationRequest) -> EngineError | None:
    """What is said of a request whose numbers of speakers exclude each other."""
    if request.min_speakers and request.max_speakers and request.min_speakers > request.max_speakers:
        return EngineError(
            f"at least {request.min_speakers} and at most {request.max_speakers} speakers contradict each other",
            code="invalid_request",
        )
    return None


def answered(
    batch: Sequence[DiarizationRequest], diarize: Callable[[list[DiarizationRequest]], Sequence[Diarization]]
) -> list[Diarization | EngineError]:
    """One outcome a request, in order: of those that can be asked `diarize` sees all at once.

    A clip without sound has no speakers, and a contradiction is an error in its place.
    """
    refused = {i: error for i, request in enumerate(batch) if (error := contradiction(request))}
    asked = [i for i, request in enumerate(batch) if i not in refused and len(request.clip.samples)]
    diarized = diarize([batch[i] for i in asked]) if asked else []
    found = dict(zip(asked, diarized, strict=True))
    return [refused.get(i) or found.get(i) or Diarization((), ()) for i in range(len(batch))]
