"""Chunks through the doors, in order, each safe on the disk that all replicas share before it counts."""

import shutil
from collections.abc import AsyncIterator
from contextlib import ExitStack
from functools import partial
from secrets import token_hex
from typing import IO

import anyio
from anyio.to_thread import run_sync

from cluster.blobs.contract import FileBlobs
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Chunk, Upload
from cluster.settings import Settings
from serve_apps.uploads.checksums import Checksum
from serve_apps.uploads.completion import Completion
from serve_apps.uploads.intake import Arrived, PartLink
from serve_apps.uploads.parts import MAX_CHUNK_BYTES, Parts, chunk_folder

_SPARE_BYTES = 256 << 20
_WRITE_BYTES = 1 << 20
"""Written at once; more than what one message of ASGI brings, as each write is a turn of another thread."""


class ChunkedIntake:
    """Takes files in chunk by chunk.

    A chunk is a blob of its own until the file is complete: whoever dies while one is written leaves the upload as it
    was, and two replicas that get the same chunk cannot mix their bytes.
    """

    direct = False

    def __init__(self, ledger: Ledger, blobs: FileBlobs, settings: Settings, links: str) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._completion = Completion(ledger, blobs, settings)
        self._links = links

    def parts(self, size: int) -> Parts:
        """See Intake."""
        return Parts.for_chunks(size)

    def begin(self, key: str, size: int) -> str:  # noqa: ARG002 - an object store has to know the key
        """See Intake. While the chunks are put together the file takes its room twice."""
        free = self._blobs.free_bytes()
        if free < 2 * size + _SPARE_BYTES:
            raise DubflowError(ErrorCode.DISK_FULL, f"an upload of {size} bytes does not fit {free} free ones twice")
        return ""

    def arrived(self, upload: Upload) -> Arrived:
        """See Intake."""
        parts = self.parts(upload.size)
        whole = parts.count if upload.received == upload.size else upload.received // parts.part_bytes
        return Arrived(upload.received, frozenset(range(1, whole + 1)))

    def links(self, upload: Upload, first: int, count: int) -> list[PartLink]:
        """See Intake."""
        parts, here = self.parts(upload.size), self.arrived(upload).parts
        return [
            PartLink(
                part.number,
                parts.offset(part.number),
                part.size,
                f"{self._links}/{upload.id}/parts/{part.number}",
                part.number in here,
            )
            for part in parts.some(first, count)
        ]

    async def take(
        self, upload: Upload, offset: int, body: AsyncIterator[bytes], checksum: Checksum, exactly: int | None = None
    ) -> Upload:
        """Take a chunk in.

        Args:
            upload: As the ledger has just given it.
            offset: Where the chunk begins.
            body: Its bytes, as they arrive.
            checksum: What they have to amount to.
            exactly: How many they have to be, where that is fixed.

        Raises:
            DubflowError: `conflict` for an offset other than the upload's, and for more bytes than were announced;
                `too_large`; `invalid_request` for a wrong checksum; `disk_full`. The upload is then as it was.
        """
        if upload.complete or offset != upload.received:
            message = f"the upload has {upload.received} bytes, and {offset} is not where it goes on"
            raise DubflowError(ErrorCode.CONFLICT, message)
        key = f"{chunk_folder(upload)}/{offset:016x}-{token_hex(8)}"
        limit = min(MAX_CHUNK_BYTES, upload.size - offset)
        size = await self._store(key, body, checksum, limit, exactly)
        try:
            return await run_sync(partial(self._ledger.add_chunk, upload.tenant, upload.id, Chunk(offset, size, key)))
        except DubflowError:
            await run_sync(self._blobs.delete, key)
            raise

    async def _store(
        self, key: str, body: AsyncIterator[bytes], checksum: Checksum, limit: int, exactly: int | None
    ) -> int:
        resources = ExitStack()
        try:
            file = await run_sync(resources.enter_context, self._blobs.writing_new(key))
            size = await _receive(file, body, checksum, limit)
            if exactly is not None and size != exactly:
                raise DubflowError(ErrorCode.INVALID_REQUEST, f"this part has {exactly} bytes, {size} arrived")
            await run_sync(resources.close)
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await run_sync(resources.__exit__, type(error), error, error.__traceback__)
            raise
        return size

    def complete(self, upload: Upload) -> Upload:
        """See Intake."""
        if upload.complete:
            return upload
        if upload.received != upload.size:
            message = f"{upload.size - upload.received} bytes are missing; go on at {upload.received}"
            raise DubflowError(ErrorCode.CONFLICT, message)
        chunks = self._ledger.chunks(upload.tenant, upload.id)
        try:
            self._completion.require_media(upload, lambda size: self._first_bytes(chunks, size))
            self._join(upload.key, chunks)
        except DubflowError as error:
            if error.code not in {ErrorCode.NOT_FOUND, ErrorCode.STORAGE_FAILED}:
                raise
            # Somebody else may have completed it just now, and removed the chunks.
            known = self._ledger.upload(upload.tenant, upload.id)
            if known.complete:
                return known
            raise
        done = self._completion.record(upload)
        self._blobs.delete_prefix(chunk_folder(upload))
        return done

    def _first_bytes(self, chunks: tuple[Chunk, ...], size: int) -> bytes:
        data = b""
        for chunk in chunks:
            if len(data) >= size:
                break
            data += self._blobs.get_range(chunk.key, 0, size - len(data))
        return data

    def _join(self, key: str, chunks: tuple[Chunk, ...]) -> None:
        with self._blobs.writing_new(key) as file:
            for chunk in chunks:
                with self._blobs.local_path(chunk.key).open("rb") as piece:
                    shutil.copyfileobj(piece, file, _WRITE_BYTES)


async def _receive(file: IO[bytes], body: AsyncIterator[bytes], checksum: Checksum, limit: int) -> int:
    fed, size, waiting = checksum.start(), 0, bytearray()
    async for piece in body:
        size += len(piece)
        if size > limit:
            raise _too_much(limit)
        if fed is not None:
            fed.update(piece)
        waiting += piece
        if len(waiting) >= _WRITE_BYTES:
            await run_sync(file.write, waiting)
            waiting = bytearray()
    checksum.check(fed)
    if not size:
        raise DubflowError(ErrorCode.INVALID_REQUEST, "the chunk is empty; send some bytes")
    await run_sync(file.write, waiting)
    return size


def _too_much(limit: int) -> DubflowError:
    if limit == MAX_CHUNK_BYTES:
        return DubflowError(ErrorCode.TOO_LARGE, f"a chunk has at most {MAX_CHUNK_BYTES} bytes; send smaller ones")
    return DubflowError(ErrorCode.CONFLICT, f"only {limit} of the announced bytes are missing, and more arrived")
