"""Tells callers what is left of their requests, so that they slow down before they are told to."""

import math

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cluster.accounts.rates import Rate, Verdict


class RateHeaders:
    """Adds `RateLimit` and `RateLimit-Policy`, as the IETF's draft has them, wherever a request was counted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and add the headers to what comes back."""
        state = scope.setdefault("state", {})

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start" and "rate" in state:
                MutableHeaders(scope=message).update(_headers(*state["rate"]))
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _headers(rate: Rate, verdict: Verdict) -> dict[str, str]:
    wait = verdict.retry_after if verdict.remaining == 0 else verdict.full_after
    return {
        "RateLimit-Policy": f'"requests";q={rate.count};w={math.ceil(rate.seconds)}',
        "RateLimit": f'"requests";r={verdict.remaining};t={math.ceil(wait)}',
    }
