"""The people of a series: one row each, whoever finds them first.

All that decides who is who, or who gets which voice, happens under the lock of the series' row, which a transaction
takes after its job's (see `transition`). So two sources of one moment know of each other's people.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.database import insert_if_absent
from cluster.ledger.library_records import AssignedVoice, Choose, Heard, Impression, Met, Recogniser
from cluster.ledger.library_rows import assign, impression_columns, impression_of, living, lock_series, voices_of
from cluster.ledger.records import Lease
from cluster.ledger.tables import appearances, series, voice_castings, voice_consents, voices
from cluster.ledger.transition import Transition


class Library(LedgerBase):
    """What workers ask of a series, and tell it. All of it may be repeated, and raises LeaseLostError."""

    def meet(self, lease: Lease, name: str, heard: Heard, recogniser: Recogniser) -> Met:
        """Tell which people of a series the speakers of a script are; whom it did not know, it knows from here on.

        The answer belongs to the job and the script: asked again it is the same, whatever the series has learned since.
        Somebody who was forgotten in between stays so for this job.

        Args:
            lease: On the job.
            name: Of the series, as `parse_series` gives it.
            heard: How the speakers of a script sound.
            recogniser: Decides.
        """

        def meet(transition: Transition) -> Met:
            series_id = lock_series(transition.connection, transition["tenant"], name)
            meeting = _Meeting(transition, series_id, heard)
            if not meeting.over:
                meeting.hold(recogniser)
            return meeting.outcome()

        return self._work(lease, meet)

    def cast(self, lease: Lease, name: str, language: str, engine: str, choose: Choose) -> Mapping[str, str]:
        """Choose voices for people of a series in one language, knowing those of all its people; they keep them.

        Args:
            lease: On the job.
            name: Of the series.
            language: BCP-47.
            engine: Name of the speech engine whose voices they are.
            choose: Says who gets which; what it says is the answer.
        """

        def cast(transition: Transition) -> Mapping[str, str]:
            connection = transition.connection
            assigned = _assigned(connection, lock_series(connection, transition["tenant"], name), language, engine)
            chosen = choose(assigned)
            for voice_id, voice in chosen.items():
                if voice not in {known.voice for known in assigned.get(voice_id, ())}:
                    assign(connection, voice_id, AssignedVoice(language, engine, voice))
            return chosen

        return self._work(lease, cast)

    def clone(self, lease: Lease, voice_id: str, offered: str = "") -> str:
        """The sound with which a person may be cloned in this job; empty where nobody has stated that they agree.

        The first sound that is offered is kept, and never another one: a voice that people know does not change. The
        statement of the job is noted with the person.

        Args:
            lease: On the job.
            voice_id: Of the person.
            offered: Names a sound of the person, which lies in the blob store already.
        """

        def clone(transition: Transition) -> str:
            connection = transition.connection
            wanted = select(voices.c.reference).where(voices.c.id == voice_id, living).with_for_update()
            row = connection.execute(wanted).one_or_none()
            if row is None or transition["consent"] is None or not (row.reference or offered):
                return ""
            if not row.reference:
                connection.execute(update(voices).where(voices.c.id == voice_id).values(reference=offered))
            _note_consent(transition, voice_id)
            return row.reference or offered

        return self._work(lease, clone)


class _Meeting:
    """One job at the library of its series."""

    def __init__(self, transition: Transition, series_id: str, heard: Heard) -> None:
        self._connection = transition.connection
        self._job_id = transition.job_id
        self._tenant: str = transition["tenant"]
        self._series_id = series_id
        self._heard = heard
        self._rows = self._appearances(appearances.c.job_id == self._job_id)

    @property
    def over(self) -> bool:
        """This script was looked at for this job before."""
        return any(script == self._heard.script for _, script, _ in self._rows)

    def hold(self, recogniser: Recogniser) -> None:
        """Tell who is who, and let the library learn from it."""
        known = self._known()
        recognised = recogniser.recognise(self._heard.speakers, known)
        counted = {voice for _, _, voice in (*self._rows, *self._same_script(recognised.values()))}
        # A job that knew somebody who was forgotten must not bring them back under another number.
        gone = next(iter(self._forgotten().values()), "")
        self._rows = []
        for speaker, impression in self._heard.speakers.items():
            voice_id = recognised.get(speaker, "")
            enough = recogniser.is_enough(impression)
            if voice_id:
                learns = enough and voice_id not in counted
                self._remember(voice_id, recogniser.blend(known[voice_id], impression) if learns else None)
            elif enough and not gone:
                voice_id = self._introduce(impression)
            voice_id = voice_id or gone
            self._rows.append((speaker, self._heard.script, voice_id))
        self._save()

    def outcome(self) -> Met:
        found = {one.id: one for one in voices_of(self._connection, voices.c.id.in_([v for _, _, v in self._rows]))}
        people = {speaker: found[voice] for speaker, _, voice in self._rows if voice in found}
        return Met(people, frozenset(self._forgotten()))

    def _appearances(self, *conditions: ColumnElement[bool]) -> list[tuple[str, str, str]]:
        wanted = select(appearances.c.speaker, appearances.c.script, appearances.c.voice_id).where(*conditions)
        ordered = wanted.order_by(appearances.c.speaker)
        return [(row.speaker, row.script, row.voice_id) for row in self._connection.execute(ordered)]

    def _same_script(self, voice_ids: Iterable[str]) -> list[tuple[str, str, str]]:
        """Appearances of people in this script for other jobs: one source is learned from once."""
        return self._appearances(appearances.c.voice_id.in_(set(voice_ids)), appearances.c.script == self._heard.script)

    def _forgotten(self) -> dict[str, str]:
        """Speaker -> whom the job knew, where that person was forgotten since."""
        wanted = {voice for _, _, voice in self._rows if voice}
        lives = set(self._connection.scalars(select(voices.c.id).where(voices.c.id.in_(wanted), living)))
        return {speaker: voice for speaker, _, voice in self._rows if voice and voice not in lives}

    def _known(self) -> dict[str, Impression]:
        wanted = select(voices).where(
            voices.c.series_id == self._series_id, voices.c.engine == self._heard.engine, living
        )
        ordered = wanted.order_by(voices.c.number)
        return {row["id"]: impression_of(row) for row in self._connection.execute(ordered).mappings()}

    def _remember(self, voice_id: str, impression: Impression | None) -> None:
        values: dict[str, Any] = impression_columns(impression) if impression else {}
        self._connection.execute(update(voices).where(voices.c.id == voice_id).values(**values, met_at=Now()))

    def _introduce(self, impression: Impression) -> str:
        mine = series.c.id == self._series_id
        raised = update(series).where(mine).values(last_number=series.c.last_number + 1)
        number = self._connection.scalar(raised.returning(series.c.last_number))
        voice_id = uuid4().hex
        row = {
            "id": voice_id,
            "tenant": self._tenant,
            "series_id": self._series_id,
            "label": f"V{number}",
            "engine": self._heard.engine,
            **impression_columns(impression),
        }
        self._connection.execute(insert(voices).values(**row, created_at=Now(), met_at=Now()))
        return voice_id

    def _save(self) -> None:
        self._connection.execute(delete(appearances).where(appearances.c.job_id == self._job_id))
        names = ("speaker", "script", "voice_id")
        rows = [{"job_id": self._job_id, **dict(zip(names, row, strict=True))} for row in self._rows]
        if rows:
            self._connection.execute(insert(appearances), rows)


def _assigned(
    connection: Connection, series_id: str, language: str, engine: str
) -> dict[str, tuple[AssignedVoice, ...]]:
    found = (
        select(voice_castings)
        .join(voices, voices.c.id == voice_castings.c.voice_id)
        .where(voices.c.series_id == series_id, living)
        .where(voice_castings.c.language == language, voice_castings.c.engine.in_([engine, ""]))
        .order_by(voice_castings.c.engine)
    )
    assigned: dict[str, tuple[AssignedVoice, ...]] = {}
    for row in connection.execute(found):
        one = AssignedVoice(language, row.engine, row.voice)
        assigned[row.voice_id] = (*assigned.get(row.voice_id, ()), one)
    return assigned


def _note_consent(transition: Transition, voice_id: str) -> None:
    stated = {name: transition[name] for name in ("tenant", "key_id")}
    row = {"voice_id": voice_id, "job_id": transition.job_id, "wording": transition["consent"], **stated}
    insert_if_absent(transition.connection, voice_consents, {**row, "stated_at": transition["created_at"]})
