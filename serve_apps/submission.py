"""From what a caller wants to a job in the ledger."""

from dataclasses import dataclass

from cluster import layout
from cluster.accounts.quotas import admission
from cluster.consent import CONSENT
from cluster.keys import digest
from cluster.ledger.records import Job, JobRequest, JobStatus
from cluster.sources import SourceRef
from cluster.webhooks import require_webhook_url
from serve_apps.authentication import Caller
from serve_apps.options import JobOptions
from serve_apps.services import Services

_AGAIN = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted, checked.

    Attributes:
        source: Where the media is, and in which version.
        name: Of the source, to show to people.
        source_language: BCP-47, or None to detect it.
        target_languages: BCP-47, without repetition.
        options: What else is wanted.
        user_id: Whom of the tenant's people it is for.
    """

    source: SourceRef
    name: str
    source_language: str | None
    target_languages: tuple[str, ...]
    options: JobOptions
    user_id: str = ""


def submit(services: Services, caller: Caller, order: Order) -> Job:
    """Put an order into the queue; the same one again finds its job, which is tried again where it had failed.

    The results have a folder of their own, named by all that decides them: jobs on one source do not overwrite each
    other's, and go one by one.
    """
    options = order.options.for_flow()
    source, languages = order.source, sorted(order.target_languages)
    folder = digest(source.uri, source.version, order.source_language, languages, options)
    request = JobRequest(
        source_uri=source.uri,
        source_version=source.version,
        target_languages=order.target_languages,
        destination=services.blobs.uri(layout.results(caller.tenant, folder)),
        stem="dub",
        source_language=order.source_language,
        options=options,
        tenant=caller.tenant,
        name=order.name,
        user_id=order.user_id,
        webhook_url=_webhook(services, order.options),
        review=order.options.review,
        key_id=caller.key_id or "",
        consent=CONSENT if order.options.clone_voices else None,
    )
    asked = admission(caller.tenant, caller.limits)
    job = services.ledger.submit(request, admission=asked)
    return services.ledger.requeue(job.id, admission=asked) if job.status in _AGAIN else job


def _webhook(services: Services, options: JobOptions) -> str:
    if options.webhook_url is None:
        return ""
    return require_webhook_url(str(options.webhook_url), allow_private=services.settings.webhook_allow_private)
