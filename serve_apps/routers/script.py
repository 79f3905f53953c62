"""Editing: the script of a language, having its changes spoken, and further languages."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from cluster.accounts.quotas import admission
from serve_apps.answers import accepted
from serve_apps.dependencies import CallerDep, JobDep, ServicesDep
from serve_apps.job_languages import added_languages, language_of
from serve_apps.models import Accepted
from serve_apps.scripts.editing import checked_texts
from serve_apps.scripts.models import LanguagesOrder, RedubOrder, ScriptEdit, ScriptView
from serve_apps.scripts.reading import read_script
from serve_apps.scripts.views import script_view

router = APIRouter(prefix="/jobs", tags=["editing"])

LanguageQuery = Annotated[
    str | None, Query(max_length=200, description="One of the job's; may be left out where it has only one.")
]


@router.get("/{job_id}/script", operation_id="get_script", summary="The script of a language, to edit it")
def get_script(job: JobDep, services: ServicesDep, language: LanguageQuery = None) -> ScriptView:
    """What the result says, or the draft of a job that waits for its review, with all edits laid over."""
    return script_view(read_script(services, job, language_of(job, language)))


@router.patch("/{job_id}/script", operation_id="edit_script", summary="Edit lines of a script")
def edit_script(edit: ScriptEdit, job: JobDep, services: ServicesDep, language: LanguageQuery = None) -> ScriptView:
    """Takes all lines or none. Nothing is spoken before `redub`; edits outlive retries."""
    tag = language_of(job, language)
    texts = checked_texts(edit, read_script(services, job, tag))
    services.ledger.edit(job.id, tag, edit.revision, texts)
    return script_view(read_script(services, job, tag))


@router.post(
    "/{job_id}/redub", status_code=HTTPStatus.ACCEPTED, operation_id="redub_job", summary="Speak what was edited"
)
def redub(
    response: Response, job: JobDep, caller: CallerDep, services: ServicesDep, order: RedubOrder | None = None
) -> Accepted:
    """Speaks changed lines only; the former result stays until the new one is there. Ends a review, too."""
    language = None if order is None or order.language is None else language_of(job, order.language)
    admitted = admission(caller.tenant, caller.limits)
    return accepted(response, services.ledger.redub(job.id, language, admission=admitted))


@router.post(
    "/{job_id}/languages",
    status_code=HTTPStatus.ACCEPTED,
    operation_id="add_languages",
    summary="Dub a finished job into further languages",
)
def add_languages(
    order: LanguagesOrder, response: Response, job: JobDep, caller: CallerDep, services: ServicesDep
) -> Accepted:
    """Costs no new analysis. Languages that the job has already are left alone."""
    most, offered = services.settings.max_target_languages, services.ledger.languages()
    languages = added_languages(job, order.target_languages, offered, most)
    admitted = admission(caller.tenant, caller.limits)
    return accepted(response, services.ledger.add_languages(job.id, languages, admission=admitted))
