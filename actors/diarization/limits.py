from actors.contracts.diarization import DiarizationRequest
from actors.contracts.engine import EngineError


def contradiction(request: DiarizationRequest) -> EngineError | None:
    """What is said of a request whose numbers of speakers exclude each other."""
    if request.min_speakers and request.max_speakers and request.min_speakers > request.max_speakers:
        return EngineError(
            f"at least {request.min_speakers} and at most {request.max_speakers} speakers contradict each other",
            code="invalid_request",
        )
    return None
