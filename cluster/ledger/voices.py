"""What people do with the voices that series keep: look, name, choose, forget."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, select, update

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.library_records import AssignedVoice, ForgottenVoice, LibraryVoice, VoicePage
from cluster.ledger.library_rows import assign, living, read_voices, select_voices, voices_of
from cluster.ledger.removals import LATE_WRITES_SECONDS
from cluster.ledger.rows import storable
from cluster.ledger.tables import series, voice_castings, voice_consents, voices


class Voices(LedgerBase):
    """The people's side of the library. With a tenant, only their voices exist; ids raise DubflowError `not_found`."""

    def voice(self, voice_id: str, tenant: str | None = None) -> LibraryVoice:
        """One person of a series."""
        return self._database.read(lambda connection: _voice(connection, voice_id, tenant))

    def voices(
        self, *, tenant: str | None = None, of_series: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> VoicePage:
        """People, the newest first. A page's cursor stays good while they come and go.

        Raises:
            DubflowError: `invalid_request` for a cursor that no page gave.
        """
        wanted = ((voices.c.tenant, tenant), (series.c.name, of_series))
        conditions = [column == storable(value) for column, value in wanted if value is not None]
        if cursor is not None:
            conditions.append(voices.c.number < _number(cursor))
        newest = select_voices(*conditions).order_by(voices.c.number.desc()).limit(limit + 1)

        def read(connection: Connection) -> VoicePage:
            found = read_voices(connection, newest)
            more = None
            if len(found) > limit:
                last = select(voices.c.number).where(voices.c.id == found[limit - 1].id)
                more = str(connection.scalar(last))
            return VoicePage(found[:limit], more)

        return self._database.read(read)

    def unheard_voices(self, seconds: float, limit: int) -> tuple[LibraryVoice, ...]:
        """People whom no source has had for so long."""
        old = select_voices(voices.c.met_at <= Now() - seconds).order_by(voices.c.met_at).limit(limit)
        return self._database.read(lambda connection: read_voices(connection, old))

    def change_voice(
        self,
        voice_id: str,
        tenant: str | None = None,
        *,
        name: str | None = None,
        gender: str | None = None,
        by_language: Mapping[str, str | None] | None = None,
    ) -> LibraryVoice:
        """Say who a person is, or which voices they get; what is None stays. Jobs follow that are dubbed from now on.

        Args:
            voice_id: Of the person.
            tenant: Whose it has to be.
            name: To show to people; empty for none.
            gender: As voice analysis calls it; empty for what that has found.
            by_language: Voices by BCP-47; None takes back what was chosen.
        """
        texts = [text for pair in (by_language or {}).items() for text in pair if text is not None]
        for text in (*texts, name or "", gender or ""):
            if storable(text) != text:
                raise DubflowError(ErrorCode.INVALID_REQUEST, f"{text!r} has characters that no database stores")

        def change(connection: Connection) -> LibraryVoice:
            _lock(connection, voice_id, tenant)
            given = {"name": name, "gender": gender}
            values = {column: value or None for column, value in given.items() if value is not None}
            if values:
                connection.execute(update(voices).where(voices.c.id == voice_id).values(**values))
            for language, voice in (by_language or {}).items():
                _choose(connection, voice_id, language, voice)
            return _voice(connection, voice_id, tenant)

        return self._database.write(change)

    def forget_voice(self, voice_id: str, tenant: str | None = None) -> ForgottenVoice:
        """Remove all that is known of a person, but for a note that their files are to go."""
        asked = False

        def forget(connection: Connection) -> ForgottenVoice:
            nonlocal asked
            if asked and (forgotten := _forgotten(connection, voice_id)):
                return forgotten
            owner = _lock(connection, voice_id, tenant)
            asked = True
            for table in (voice_castings, voice_consents):
                connection.execute(delete(table).where(table.c.voice_id == voice_id))
            nothing: dict[str, Any] = dict.fromkeys(("name", "gender", "reference"))
            cleared = update(voices).where(voices.c.id == voice_id)
            cleared = cleared.values(**nothing, voiceprint="[]", seconds=0.0, traits="{}", forgotten_at=Now())
            connection.execute(cleared)
            return ForgottenVoice(voice_id, owner, cleared=False)

        return self._database.write(forget)

    def forgotten_voice(self, voice_id: str, tenant: str | None = None) -> ForgottenVoice | None:
        """One forgotten person, where that is not over yet."""
        found = self._database.read(lambda connection: _forgotten(connection, voice_id))
        return found if found and tenant in {None, found.tenant} else None

    def forgotten_voices(self, limit: int = 100) -> tuple[ForgottenVoice, ...]:
        """Those whose files are to go, or went so long ago that nobody writes any more; the oldest first."""
        due = voices.c.cleared_at.is_(None) | (voices.c.forgotten_at < Now() - LATE_WRITES_SECONDS)
        oldest = select(voices).where(~living, due).order_by(voices.c.forgotten_at).limit(limit)

        def read(connection: Connection) -> tuple[ForgottenVoice, ...]:
            rows = connection.execute(oldest)
            return tuple(ForgottenVoice(row.id, row.tenant, row.cleared_at is not None) for row in rows)

        return self._database.read(read)

    def voice_cleared(self, voice_id: str) -> None:
        """Note that all files of a forgotten person are gone; after the time of late writes that is the end of it."""

        def write(connection: Connection) -> None:
            mine = [voices.c.id == voice_id, ~living]
            connection.execute(delete(voices).where(*mine, voices.c.forgotten_at < Now() - LATE_WRITES_SECONDS))
            connection.execute(update(voices).where(*mine, voices.c.cleared_at.is_(None)).values(cleared_at=Now()))

        self._database.write(write)


def unknown_voice(voice_id: str) -> DubflowError:
    """The one answer for ids that do not exist."""
    return DubflowError(ErrorCode.NOT_FOUND, f"there is no voice {voice_id}")


def _voice(connection: Connection, voice_id: str, tenant: str | None) -> LibraryVoice:
    mine = [] if tenant is None else [voices.c.tenant == tenant]
    found = voices_of(connection, voices.c.id == voice_id, *mine)
    if not found:
        raise unknown_voice(voice_id)
    return found[0]


def _lock(connection: Connection, voice_id: str, tenant: str | None) -> str:
    """Lock a person's series, as workers do, then the person; gives whose it is."""
    known = _voice(connection, voice_id, tenant)
    mine = select(series.c.id).where(series.c.tenant == known.tenant, series.c.name == known.series)
    connection.execute(mine.with_for_update())
    locked = select(voices.c.id).where(voices.c.id == voice_id, living).with_for_update()
    if connection.execute(locked).one_or_none() is None:
        raise unknown_voice(voice_id)
    return known.tenant


def _choose(connection: Connection, voice_id: str, language: str, voice: str | None) -> None:
    if voice:
        assign(connection, voice_id, AssignedVoice(language, "", voice))
        return
    chosen = (
        voice_castings.c.voice_id == voice_id,
        voice_castings.c.language == language,
        voice_castings.c.engine == "",
    )
    connection.execute(delete(voice_castings).where(*chosen))


def _forgotten(connection: Connection, voice_id: str) -> ForgottenVoice | None:
    row = connection.execute(select(voices).where(voices.c.id == voice_id, ~living)).one_or_none()
    return None if row is None else ForgottenVoice(row.id, row.tenant, row.cleared_at is not None)


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < len(str(2**63))):
        raise DubflowError(ErrorCode.INVALID_REQUEST, "this cursor came from no list; start without one")
    return int(cursor)
