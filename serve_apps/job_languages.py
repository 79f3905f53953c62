"""Which of a job's languages a request is about, and languages that a job gets later."""

from collections.abc import Sequence

from cluster.errors import DubflowError, ErrorCode
from cluster.languages import parse_language
from cluster.ledger.records import Job, SupportedLanguage
from serve_apps.languages import choose_targets
from serve_apps.problems import ProblemError


def language_of(job: Job, written: str | None) -> str:
    """The target language that is meant; of a job with only one it need not be said.

    Raises:
        DubflowError: `not_found` for a language that the job has not; `invalid_request` where several may be meant.
    """
    targets = job.request.target_languages
    if written is None:
        if len(targets) == 1:
            return targets[0]
        message = f"say which language is meant: {', '.join(targets)}"
        raise ProblemError(ErrorCode.INVALID_REQUEST, message, errors=[{"field": "query.language", "message": message}])
    if written in targets:
        return written
    try:
        tag = parse_language(written)
    except DubflowError:
        tag = ""
    if tag not in targets:
        raise DubflowError(ErrorCode.NOT_FOUND, f"job {job.id} has no such target language, only {', '.join(targets)}")
    return tag


def added_languages(
    job: Job, written: Sequence[str], offered: Sequence[SupportedLanguage], most: int
) -> tuple[str, ...]:
    """Further target languages of a job; those that it has already may be among them.

    Raises:
        DubflowError: `unsupported_language`; `invalid_request` where the job would have too many.
    """
    chosen = choose_targets(written, job.request.source_language, offered, most)
    together = {*job.request.target_languages, *chosen}
    if len(together) > most:
        message = f"a job has {most} target languages at most; this one would have {len(together)}"
        raise ProblemError(
            ErrorCode.INVALID_REQUEST, message, errors=[{"field": "body.target_languages", "message": message}]
        )
    return chosen
