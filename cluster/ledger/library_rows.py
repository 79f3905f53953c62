"""Rows of a series' library as records."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, select, update

from cluster.ledger.database import insert_if_absent
from cluster.ledger.library_records import AssignedVoice, Consent, Impression, LibraryVoice
from cluster.ledger.rows import to_json
from cluster.ledger.tables import series, voice_castings, voice_consents, voices

living = voices.c.forgotten_at.is_(None)
"""Who was forgotten is in the tables for a while, without anything that was known of them."""


def select_voices(*conditions: ColumnElement[bool]) -> "Select[Any]":
    """People who are not forgotten, with the names of their series."""
    return (
        select(voices, series.c.name.label("series"))
        .join(series, series.c.id == voices.c.series_id)
        .where(living, *conditions)
    )


def voices_of(connection: Connection, *conditions: ColumnElement[bool]) -> tuple[LibraryVoice, ...]:
    """People who are not forgotten, the oldest first."""
    return read_voices(connection, select_voices(*conditions).order_by(voices.c.number))


def read_voices(connection: Connection, chosen: "Select[Any]") -> tuple[LibraryVoice, ...]:
    """The people that a query made of `select_voices` finds, with their voices and consents."""
    rows = connection.execute(chosen).mappings().all()
    ids = [row["id"] for row in rows]
    castings, consents = defaultdict(list), defaultdict(list)
    cast = select(voice_castings).where(voice_castings.c.voice_id.in_(ids))
    for row in connection.execute(cast.order_by(voice_castings.c.language, voice_castings.c.engine)):
        castings[row.voice_id].append(AssignedVoice(row.language, row.engine, row.voice))
    stated = select(voice_consents).where(voice_consents.c.voice_id.in_(ids))
    for row in connection.execute(stated.order_by(voice_consents.c.stated_at, voice_consents.c.job_id)):
        consent = Consent(row.job_id, row.tenant, row.key_id or "", row.wording, row.stated_at)
        consents[row.voice_id].append(consent)
    return tuple(_voice_of(row, castings[row["id"]], consents[row["id"]]) for row in rows)


def impression_of(row: RowMapping) -> Impression:
    """What is known of somebody's sound."""
    return Impression(tuple(json.loads(row["voiceprint"])), row["seconds"], json.loads(row["traits"]))


def impression_columns(impression: Impression) -> dict[str, Any]:
    """The columns that carry an impression."""
    return {
        "voiceprint": to_json(impression.voiceprint),
        "seconds": impression.seconds,
        "traits": to_json(impression.traits),
    }


def assign(connection: Connection, voice_id: str, assigned: AssignedVoice) -> None:
    """Give a person a voice in place of the one that there was of the same engine, or by hand."""
    row = {"voice_id": voice_id, "language": assigned.language, "engine": assigned.engine}
    if not insert_if_absent(connection, voice_castings, {**row, "voice": assigned.voice}):
        same = [voice_castings.c[column] == value for column, value in row.items()]
        connection.execute(update(voice_castings).where(*same).values(voice=assigned.voice))


def lock_series(connection: Connection, tenant: str, name: str) -> str:
    """Lock a series for this transaction, which comes into being with the first that asks for it; gives its id."""
    insert_if_absent(connection, series, {"id": uuid4().hex, "tenant": tenant, "name": name, "last_number": 0})
    mine = select(series.c.id).where(series.c.tenant == tenant, series.c.name == name)
    return str(connection.execute(mine.with_for_update()).scalar_one())


def _voice_of(row: RowMapping, castings: Sequence[AssignedVoice], consents: Sequence[Consent]) -> LibraryVoice:
    return LibraryVoice(
        id=row["id"],
        tenant=row["tenant"],
        series=row["series"],
        label=row["label"],
        engine=row["engine"],
        impression=impression_of(row),
        name=row["name"] or "",
        gender=row["gender"] or "",
        reference=row["reference"] or "",
        created_at=row["created_at"],
        met_at=row["met_at"],
        voices=tuple(castings),
        consents=tuple(consents),
    )
