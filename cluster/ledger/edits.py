"""What people change in scripts, and having the changes spoken.

Edits are kept by revision and never replaced: a language is made with the revision that was the newest when its job was
queued, however much is edited meanwhile, and however often the work is tried.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, insert, select, update

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.outputs import reopen_outputs
from cluster.ledger.queue import Admission, admit, forget_parts, queue, require_terminal
from cluster.ledger.records import Job, JobStatus, Review, ScriptEdits, StageStatus
from cluster.ledger.rows import storable
from cluster.ledger.tables import edits, jobs, outputs
from cluster.ledger.transition import Transition


class Edits(LedgerBase):
    """The editors' side of the ledger."""

    def edit(self, job_id: str, language: str, base_revision: int, texts: Mapping[str, str | None]) -> int:
        """Change lines of a script, all of them or none; the result changes once the job is dubbed again.

        The same change of the same revision again is the same edit.

        Args:
            job_id: A job, at work or not.
            language: One of its target languages.
            base_revision: What the editor saw; only the newest can be changed.
            texts: New texts by utterance id; empty for the original sound, None for what the machine said.

        Returns:
            The new revision.

        Raises:
            DubflowError: `not_found`; `conflict` for a revision that is not the newest; `invalid_request` for no lines,
                or text that no database stores.
        """
        _require_lines(texts)

        def change(transition: Transition) -> int:
            _require_language(transition.languages, job_id, language)
            connection, revision = transition.connection, base_revision + 1
            newest = _newest(connection, job_id, language)
            if newest == revision and _changes(connection, job_id, language, revision) == dict(texts):
                return revision  # the answer to the first time was lost
            if newest != base_revision:
                raise DubflowError(
                    ErrorCode.CONFLICT,
                    f"somebody has edited this script: it is at revision {newest}, not {base_revision}; read it again",
                )
            line = {"job_id": job_id, "language": language, "revision": revision}
            changed = [{**line, "utterance": utterance, "text": text} for utterance, text in texts.items()]
            connection.execute(insert(edits).values(at=Now()), changed)
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(updated_at=Now()))
            return revision

        return self._change(job_id, change)

    def edits(self, job_id: str, language: str, revision: int | None = None) -> ScriptEdits:
        """The texts of people in a script, as of a revision or the newest; empty where nobody has edited it."""

        def read(connection: Connection) -> ScriptEdits:
            as_of = _newest(connection, job_id, language) if revision is None else revision
            return ScriptEdits(as_of, _texts(connection, job_id, language, as_of))

        return self._database.read(read)

    def redub(self, job_id: str, language: str | None = None, *, admission: Admission | None = None) -> Job:
        """Queue a job to have speak what was edited; what a job waited for that was under review.

        A review is given for the whole job, whatever language is named.

        Args:
            job_id: A job that has ended or waits for a review.
            language: Make this one again, if its texts have changed; by default all whose have.
            admission: Asked before the job is queued.

        Raises:
            DubflowError: `not_found`; `conflict` where the job is at work, or nothing has changed; what `admission`
                raises.
        """
        asked = False

        def redub(transition: Transition) -> None:
            nonlocal asked
            if asked and not transition.status.idle:
                return  # the answer to the first time was lost
            if language is not None:
                _require_language(transition.languages, job_id, language)
            if transition["review"]:
                transition.set(review=Review.GIVEN.value)
            if transition.status is JobStatus.AWAITING_REVIEW:
                queue(transition)
            else:
                require_terminal(transition, "dubbed again")
                changed = _require_changes(transition, language)
                admit(transition, admission)
                reopen_outputs(transition, changed)
                forget_parts(transition)
                queue(transition, progress=0.0, warnings="[]")
            asked = True

        return self._changed(job_id, redub)


def _require_changes(transition: Transition, language: str | None) -> Sequence[str]:
    wanted = transition.languages if language is None else (language,)
    changed = [tag for tag in wanted if _has_changed(transition, tag)]
    if not changed:
        raise DubflowError(
            ErrorCode.CONFLICT,
            f"nothing to do for job {transition.job_id}: its dub says what its script says. Edit lines first; "
            f"what has failed can be retried",
        )
    return changed


def _has_changed(transition: Transition, language: str) -> bool:
    """Whether the texts of people are others now than those that the result was made with."""
    connection, job_id = transition.connection, transition.job_id
    made = select(outputs.c.status, outputs.c.revision).where(
        outputs.c.job_id == job_id, outputs.c.language == language
    )
    output = connection.execute(made).one_or_none()
    spoken = output.revision or 0 if output is not None and output.status == StageStatus.COMPLETED else 0
    newest = _newest(connection, job_id, language)
    return _texts(connection, job_id, language, newest) != _texts(connection, job_id, language, spoken)


def _newest(connection: Connection, job_id: str, language: str) -> int:
    newest = select(func.max(edits.c.revision)).where(edits.c.job_id == job_id, edits.c.language == language)
    return connection.scalar(newest) or 0


def _changes(connection: Connection, job_id: str, language: str, revision: int) -> dict[str, str | None]:
    """What one revision has changed."""
    found = select(edits.c.utterance, edits.c.text).where(
        edits.c.job_id == job_id, edits.c.language == language, edits.c.revision == revision
    )
    return {row.utterance: row.text for row in connection.execute(found)}


def _texts(connection: Connection, job_id: str, language: str, as_of: int) -> dict[str, str]:
    """The sum of all changes up to a revision."""
    found = (
        select(edits.c.utterance, edits.c.text)
        .where(edits.c.job_id == job_id, edits.c.language == language, edits.c.revision <= as_of)
        .order_by(edits.c.revision)
    )
    latest = {row.utterance: row.text for row in connection.execute(found)}
    return {utterance: text for utterance, text in latest.items() if text is not None}


def _require_lines(texts: Mapping[str, str | None]) -> None:
    if not texts:
        raise DubflowError(ErrorCode.INVALID_REQUEST, "name at least one line to change")
    for text in (*texts, *texts.values()):
        if text is not None and storable(text) != text:
            raise DubflowError(ErrorCode.INVALID_REQUEST, f"{text!r} has characters that no database stores")


def _require_language(languages: Sequence[str], job_id: str, language: str) -> None:
    if language not in languages:
        raise DubflowError(ErrorCode.NOT_FOUND, f"job {job_id} has no target language {language}")
