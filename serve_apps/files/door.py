"""The file door: sends linked files from Serve's proxy itself, at the pace of whoever reads them.

Between a replica and the proxy Serve has no back-pressure: an answer is made as fast as a disk can read, and waits in
the memory of both for its client. The proxy's own server does wait for its client, and what is large never enters a
replica.

Serve's proxies have it where their environment names `serve_apps.files.door:proxy_middlewares` as
`RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH`, beside the settings. Where there is no door, the application answers the
same links.
"""

import os
from collections.abc import Mapping

import structlog
from anyio.to_thread import run_sync
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from cluster.blobs.store import open_blobs
from cluster.settings import Settings
from serve_apps.files.desk import FILES
from serve_apps.files.links import Links
from serve_apps.files.served import ServedFile
from serve_apps.security_headers import security_headers

_CALLBACK = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"

_log = structlog.get_logger(__name__)


class FileDoor:
    """Answers good links to files; everything else, and what it cannot read, goes to the application.

    Args:
        app: The application inside.
        links: That sign with the service's secret.
        headers: Of every answer.
    """

    def __init__(self, app: ASGIApp, links: Links, headers: Mapping[str, str]) -> None:
        self._app = app
        self._links = links
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        file = await run_sync(self._file, scope["path"]) if _is_asked_for_a_file(scope) else None
        await (file or self._app)(scope, receive, send)

    def _file(self, path: str) -> ServedFile | None:
        try:
            linked = self._links.read(path.removeprefix(FILES))
            if linked is None:
                return None
            return ServedFile(linked.path, name=linked.name, most=None, headers=self._headers)
        except Exception as error:  # noqa: BLE001 - whatever it is, the application finds it too and answers for it
            _log.warning("the file door is closed", reason=str(error))
            return None


def open_doors(settings: Settings) -> None:
    """Let the proxies of a Ray cluster that this process is about to start have the door."""
    os.environ.setdefault(_CALLBACK, f"{__name__}:{proxy_middlewares.__name__}")
    os.environ.update(DUBFLOW_BLOB_URL=settings.blobs, DUBFLOW_S3_ENDPOINT_URL=settings.s3_endpoint_url)


def proxy_middlewares() -> list[Middleware]:
    """What Serve's proxies put around the applications; the settings are those of the proxy's environment."""
    settings = Settings()
    links = Links(open_blobs(settings.blobs, settings.s3_endpoint_url))
    return [Middleware(FileDoor, links=links, headers=security_headers(settings))]


def _is_asked_for_a_file(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} and scope["path"].startswith(FILES)
