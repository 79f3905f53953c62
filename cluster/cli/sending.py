"""Files on their way to a service: in parts, going on where they stopped, even in another run of the program."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from cluster.cli.service_client import ServiceClient
from cluster.errors import DubflowError, ErrorCode
from cluster.keys import digest

_TRIES = 5
"""How often nothing more may have arrived before the sender gives up."""


class Sender:
    """Uploads files and remembers what it has begun.

    Args:
        client: The service.
        memory: Folder for what is remembered; made when needed.
    """

    def __init__(self, client: ServiceClient, memory: Path) -> None:
        self._client = client
        self._memory = memory

    def send(self, path: Path, tell: Callable[[int], None]) -> str:
        """Upload a file; returns the id of the complete upload.

        Args:
            path: The file.
            tell: Is told how many bytes have arrived.

        Raises:
            DubflowError: What the service says; `source_changed` where the file changes on the way.
        """
        state = path.stat()
        note = self._note(path, state.st_size, state.st_mtime_ns)
        upload = self._begun(note) or self._begin(note, path, state.st_size)
        tell(upload["offset"])
        if upload["status"] != "complete":
            with path.open("rb") as file:
                self._send_parts(upload, file, tell)
            if (now := path.stat()).st_mtime_ns != state.st_mtime_ns or now.st_size != state.st_size:
                self.forget(path)
                raise DubflowError(ErrorCode.SOURCE_CHANGED, f"{path.name} changed while it was sent; submit it again")
            upload = self._client.post(upload["complete_url"])
        upload_id: str = upload["upload_id"]
        return upload_id

    def forget(self, path: Path) -> None:
        """Forget the upload of a file, once a job is made of it."""
        state = path.stat()
        self._note(path, state.st_size, state.st_mtime_ns).unlink(missing_ok=True)

    def _note(self, path: Path, size: int, modified: int) -> Path:
        return self._memory / f"{digest(self._client.address, str(path.resolve()), size, modified)}.json"

    def _begun(self, note: Path) -> dict[str, Any] | None:
        try:
            return self._client.get(f"/uploads/{json.loads(note.read_text(encoding='utf-8'))['upload_id']}")
        except (OSError, ValueError, KeyError, TypeError):
            return None
        except DubflowError as error:
            if error.code is not ErrorCode.NOT_FOUND:  # it has expired
                raise
            return None

    def _begin(self, note: Path, path: Path, size: int) -> dict[str, Any]:
        name = path.name.encode("utf-8", "replace").decode()
        upload = self._client.post("/uploads", {"name": name, "size": size})
        with suppress(OSError):  # without a note another run begins anew, no more
            self._memory.mkdir(parents=True, exist_ok=True, mode=0o700)
            note.write_text(json.dumps({"upload_id": upload["upload_id"]}), encoding="utf-8")
        return upload

    def _send_parts(self, upload: dict[str, Any], file: BinaryIO, tell: Callable[[int], None]) -> None:
        arrived, fruitless, first = 0, 0, 1
        while first:
            page = self._client.get(upload["parts_url"], first=first)
            try:
                for part in page["parts"]:
                    if not part["received"]:
                        self._send_part(part, file)
                    if part["offset"] + part["size"] > arrived:
                        arrived, fruitless = part["offset"] + part["size"], 0
                        tell(arrived)
            except DubflowError as error:
                # Sent twice because an answer was lost, or a link has expired: what is missing is asked for again.
                fruitless += 1
                if fruitless == _TRIES or error.code in {ErrorCode.NOT_FOUND, ErrorCode.SOURCE_CHANGED}:
                    raise
                self._client.wait(fruitless)
            else:
                first = page["next_part"]

    def _send_part(self, part: dict[str, Any], file: BinaryIO) -> None:
        file.seek(part["offset"])
        content = file.read(part["size"])
        if len(content) < part["size"]:
            raise DubflowError(ErrorCode.SOURCE_CHANGED, "the file became shorter while it was sent; submit it again")
        self._client.call("PUT", part["url"], content=content)
