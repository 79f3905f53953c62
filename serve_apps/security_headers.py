"""What browsers may do with our answers: nothing that a page of ours does not need."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cluster.settings import Settings

_PLAIN = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_AMAZON = "https://*.amazonaws.com"


def security_headers(settings: Settings) -> dict[str, str]:
    """Headers of every answer.

    The page has scripts and styles of its own only; parts of an upload may go to, and videos come from, the
    object store.
    """
    store = ""
    if urlsplit(settings.blobs).scheme == "s3":
        endpoint = urlsplit(settings.s3_endpoint_url)
        store = f" {endpoint.scheme}://{endpoint.netloc}" if endpoint.netloc else f" {_AMAZON}"
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:{store}; "
        f"media-src 'self' blob:{store}; connect-src 'self'{store}; font-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return {**_PLAIN, "Content-Security-Policy": policy}


class SecurityHeaders:
    """Adds headers to every answer that has not set its own."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
