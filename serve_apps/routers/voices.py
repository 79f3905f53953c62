"""The people that series keep: looked at, named, given voices, forgotten."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from cluster.languages import parse_language
from cluster.series import MOST_CHARACTERS
from cluster.voices import describe, forget_voice
from serve_apps.answers import no_content
from serve_apps.dependencies import CallerDep, ServicesDep
from serve_apps.ids import require_voice_id
from serve_apps.voices.models import VoiceChange, VoicePage, VoiceView

router = APIRouter(prefix="/voices", tags=["voices"])

MAX_PAGE = 200

VoiceId = Annotated[str, Path(description="Of the person.", min_length=1, max_length=200)]


@router.get("", operation_id="list_voices", summary="List the people of series, newest first")
def list_voices(
    caller: CallerDep,
    services: ServicesDep,
    series: Annotated[str | None, Query(description="Only people of this one.", max_length=MOST_CHARACTERS)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=40, description="`next_cursor` of the page before.")] = None,
) -> VoicePage:
    """Series come into being with the jobs that name them; a cursor stays good while people come and go."""
    page = services.ledger.voices(tenant=caller.tenant, of_series=series, limit=limit, cursor=cursor)
    items = [VoiceView.model_validate(describe(one)) for one in page.voices]
    return VoicePage(items=items, next_cursor=page.cursor)


@router.get("/{voice_id}", operation_id="get_voice", summary="One person of a series")
def get_voice(voice_id: VoiceId, caller: CallerDep, services: ServicesDep) -> VoiceView:
    """What is known of them, without their voiceprint."""
    return VoiceView.model_validate(describe(services.ledger.voice(require_voice_id(voice_id), caller.tenant)))


@router.patch("/{voice_id}", operation_id="change_voice", summary="Say who a person is and which voices they get")
def change_voice(voice_id: VoiceId, change: VoiceChange, caller: CallerDep, services: ServicesDep) -> VoiceView:
    """Jobs follow that are dubbed from now on, also again; they warn of voices that the speech engine has not."""
    said = change.model_dump(include={"name", "gender"}, exclude_unset=True)
    changed = services.ledger.change_voice(
        require_voice_id(voice_id),
        caller.tenant,
        **{name: value or "" for name, value in said.items()},
        by_language={parse_language(language): voice for language, voice in change.voices.items()},
    )
    return VoiceView.model_validate(describe(changed))


@router.delete(
    "/{voice_id}", status_code=HTTPStatus.NO_CONTENT, operation_id="forget_voice", summary="Forget a person of a series"
)
def forget(voice_id: VoiceId, caller: CallerDep, services: ServicesDep) -> Response:
    """Removes their voiceprint, the sound that they are cloned from and the consents.

    Later jobs start anew with them; jobs that knew them do not clone them again. What was dubbed stays until its job is
    deleted.
    """
    forget_voice(services.ledger, services.blobs, require_voice_id(voice_id), caller.tenant)
    return no_content()
