"""What the service can do, and how much it takes."""

from dataclasses import asdict

from fastapi import APIRouter

from serve_apps.dependencies import CallerDep, ServicesDep
from serve_apps.media_types import EXTENSIONS
from serve_apps.models import LanguageList, LanguageView, Limits
from serve_apps.options import MAX_SPEAKERS, MAX_TERMS

router = APIRouter(tags=["offer"])


@router.get("/languages", operation_id="languages", summary="Languages to dub from and into")
def languages(_: CallerDep, services: ServicesDep) -> LanguageList:
    """What the engines of the running flow can do."""
    return LanguageList(items=[LanguageView(**asdict(language)) for language in services.ledger.languages()])


@router.get("/limits", operation_id="limits", summary="How large, how long, how many")
def limits(caller: CallerDep, services: ServicesDep) -> Limits:
    """What goes beyond is refused."""
    settings = services.settings
    return Limits(
        max_upload_bytes=settings.max_upload_bytes,
        max_source_bytes=settings.max_source_bytes,
        max_source_seconds=settings.max_source_seconds,
        max_pixels=settings.max_pixels,
        max_streams=settings.max_streams,
        max_target_languages=settings.max_target_languages,
        max_speakers=MAX_SPEAKERS,
        max_glossary_terms=MAX_TERMS,
        file_types=sorted(EXTENSIONS),
        **asdict(caller.limits),
    )
