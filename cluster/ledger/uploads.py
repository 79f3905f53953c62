"""Files that arrive in pieces: what of them is safe, whoever took it."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, delete, exists, insert, or_, select, update

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.base import LedgerBase
from cluster.ledger.clock import Now
from cluster.ledger.database import insert_if_absent
from cluster.ledger.records import Chunk, Upload
from cluster.ledger.rows import storable
from cluster.ledger.tables import chunks, jobs, uploads

_OPEN, _COMPLETE = "open", "complete"


class Uploads(LedgerBase):
    """The doors' side of uploads. The bytes are in the blob store; what they amount to is here.

    Methods that take an upload's id raise DubflowError `not_found` for one that the tenant has not, or has no more.
    """

    def create_upload(
        self, tenant: str, name: str, size: int, *, seconds: float, upload_id: str = "", key: str, multipart: str = ""
    ) -> Upload:
        """Expect a file.

        Args:
            tenant: Who sends it.
            name: Of the file, to show to people.
            size: Its bytes.
            seconds: For how long it is waited for.
            upload_id: 32 hex characters, where the caller has chosen them; they are random.
            key: Of the blob that it will be.
            multipart: What the object store calls its own upload in parts.
        """
        upload_id = upload_id or uuid4().hex
        values = {
            "id": upload_id,
            "tenant": tenant,
            "name": storable(name),
            "size": size,
            "received": 0,
            "status": _OPEN,
            "key": key,
            "multipart": multipart or None,
            "created_at": Now(),
            "expires_at": Now() + seconds,
        }

        def create(connection: Connection) -> Upload:
            insert_if_absent(connection, uploads, values)
            return _upload(_find(connection, tenant, upload_id))

        return self._database.write(create)

    def upload(self, tenant: str, upload_id: str) -> Upload:
        """One upload."""
        return self._database.read(lambda connection: _upload(_find(connection, tenant, upload_id)))

    def add_chunk(self, tenant: str, upload_id: str, chunk: Chunk) -> Upload:
        """Count a chunk that is safe in the blob store as received.

        Raises:
            DubflowError: `conflict`, and nothing is changed, unless it begins where the upload is and ends within it.
        """

        def add(connection: Connection, row: RowMapping) -> None:
            if _is_counted(connection, upload_id, chunk):
                return
            if row["status"] != _OPEN or row["received"] != chunk.offset:
                raise DubflowError(
                    ErrorCode.CONFLICT,
                    f"the upload has {row['received']} bytes and no chunk at {chunk.offset}; continue from there",
                )
            if chunk.size < 1 or chunk.offset + chunk.size > row["size"]:
                raise DubflowError(
                    ErrorCode.CONFLICT, f"a chunk of {chunk.size} bytes does not fit the {row['size']} announced ones"
                )
            piece = {"offset": chunk.offset, "size": chunk.size, "key": chunk.key}
            connection.execute(insert(chunks).values(upload_id=upload_id, **piece))
            _set(connection, upload_id, received=chunk.offset + chunk.size)

        return self._change_upload(tenant, upload_id, add)

    def chunks(self, tenant: str, upload_id: str) -> tuple[Chunk, ...]:
        """What was received, in order and without gaps."""

        def read(connection: Connection) -> tuple[Chunk, ...]:
            _find(connection, tenant, upload_id)
            ordered = select(chunks).where(chunks.c.upload_id == upload_id).order_by(chunks.c.offset)
            return tuple(Chunk(row.offset, row.size, row.key) for row in connection.execute(ordered))

        return self._database.read(read)

    def complete_upload(self, tenant: str, upload_id: str, *, uri: str, version: str, seconds: float) -> Upload:
        """Record that the blob is whole and checked; its chunks are of no use any more.

        It stays that: completing it again changes nothing. For `seconds` it waits for a job to use it.
        """

        def complete(connection: Connection, row: RowMapping) -> None:
            if row["status"] == _OPEN:
                connection.execute(delete(chunks).where(chunks.c.upload_id == upload_id))
                end = {"status": _COMPLETE, "received": row["size"], "expires_at": Now() + seconds}
                _set(connection, upload_id, uri=uri, version=version, **end)

        return self._change_upload(tenant, upload_id, complete)

    def expired_uploads(self, seconds_ago: float, limit: int = 100) -> tuple[Upload, ...]:
        """Uploads that nobody could find for so long, and that no job has as its source; oldest first.

        The pause lets a job be made of an upload that was looked up in its last moment.
        """
        used = exists().where(jobs.c.tenant == uploads.c.tenant, jobs.c.source_uri == uploads.c.uri)
        gone = (uploads.c.expires_at <= Now() - seconds_ago, or_(uploads.c.uri.is_(None), ~used))
        first = select(uploads).where(*gone).order_by(uploads.c.expires_at).limit(limit)
        return self._database.read(
            lambda connection: tuple(_upload(row) for row in connection.execute(first).mappings())
        )

    def _change_upload(self, tenant: str, upload_id: str, work: Callable[[Connection, RowMapping], None]) -> Upload:
        def change(connection: Connection) -> Upload:
            work(connection, _find(connection, tenant, upload_id, lock=True))
            return _upload(_find(connection, tenant, upload_id))

        return self._database.write(change)


def _find(connection: Connection, tenant: str, upload_id: str, *, lock: bool = False) -> RowMapping:
    mine = select(uploads).where(
        uploads.c.id == storable(upload_id), uploads.c.tenant == tenant, uploads.c.expires_at > Now()
    )
    row = connection.execute(mine.with_for_update() if lock else mine).mappings().one_or_none()
    if row is None:
        raise DubflowError(ErrorCode.NOT_FOUND, "there is no such upload, or it has expired; begin another")
    return row


def _is_counted(connection: Connection, upload_id: str, chunk: Chunk) -> bool:
    """True where the first try has counted this very chunk, and its answer was lost."""
    at = select(chunks.c.key).where(chunks.c.upload_id == upload_id, chunks.c.offset == chunk.offset)
    return connection.execute(at).scalar_one_or_none() == chunk.key


def _set(connection: Connection, upload_id: str, **columns: Any) -> None:
    connection.execute(update(uploads).where(uploads.c.id == upload_id).values(**columns))


def _upload(row: RowMapping) -> Upload:
    return Upload(
        id=row["id"],
        tenant=row["tenant"],
        name=row["name"],
        size=row["size"],
        received=row["received"],
        complete=row["status"] == _COMPLETE,
        key=row["key"],
        multipart=row["multipart"] or "",
        uri=row["uri"] or "",
        version=row["version"] or "",
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
