"""A language model behind an HTTP server that speaks OpenAI's chat completions."""

import asyncio
import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime
from random import random
from typing import Any

import httpx

from actors.contracts.engine import EngineError
from actors.translation.chat import Chat

ATTEMPTS = 4
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0
_CONNECT_SECONDS = 10.0
_OVERLOADED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class ChatServer:
    """Asks over HTTP, a bounded number of questions at a time, again where the server is only busy.

    Args:
        url: Up to and including `/v1`.
        model: As the server names it.
        key: Sent as a bearer token where not empty.
        seconds: How long one answer may take.
        at_once: Questions on their way.
        structured: Send the schema of the answer, which not every server accepts.
        extra: What else the server wants in every request.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str = "",
        seconds: float = 120.0,
        at_once: int = 16,
        structured: bool = True,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._model = model
        self._structured = structured
        self._extra = dict(extra or {})
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout = httpx.Timeout(seconds, connect=_CONNECT_SECONDS)
        self._limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
        self._turn = asyncio.Semaphore(at_once)
        self._client: httpx.AsyncClient | None = None

    async def answer(self, chat: Chat) -> str:
        """The text of the answer; empty where the server gave none.

        Raises:
            EngineError: `engine_failed`, retryable where the server is away, slow or overloaded.

        Cancelling it closes its connection, by which servers know that nobody reads the answer.
        """
        async with self._turn:
            for attempt in range(ATTEMPTS):
                try:
                    response = await self._opened().post(f"{self._url}/chat/completions", json=self._body(chat))
                except httpx.TransportError as error:
                    problem, wait = f"{type(error).__name__}: {error}".rstrip(": "), None
                else:
                    if response.is_success:
                        return _text(response)
                    problem, wait = _problem(response), _retry_after(response)
                    if response.status_code not in _OVERLOADED:
                        raise EngineError(f"the server at {self._url} refused a translation: {problem}")
                if attempt < ATTEMPTS - 1:
                    await asyncio.sleep(wait if wait is not None else _pause(attempt))
        raise EngineError(
            f"the server at {self._url} gave no answer in {ATTEMPTS} attempts ({problem}); see whether it is up",
            retryable=True,
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
        self._client = None

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:  # belongs to the loop that uses it
            self._client = httpx.AsyncClient(headers=self._headers, timeout=self._timeout, limits=self._limits)
        return self._client

    def _body(self, chat: Chat) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": chat.messages,
            "temperature": chat.temperature,
            "max_tokens": chat.tokens,
        }
        if self._structured:
            schema = {"name": "answer", "schema": chat.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body | self._extra


def _text(response: httpx.Response) -> str:
    """What the model said; an answer in another form than promised is no answer."""
    try:
        content = response.json()["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
    return content if isinstance(content, str) else ""


def _problem(response: httpx.Response) -> str:
    return f"{response.status_code} {' '.join(response.text[:300].split())}".strip()


def _pause(attempt: int) -> float:
    return float(_FIRST_WAIT_SECONDS * 2**attempt * (0.5 + random()))  # noqa: S311 - only spreads the attempts


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that the server asks to wait, as a number or a date."""
    said = response.headers.get("Retry-After", "")
    if said.isascii() and said.isdigit():
        return min(float(said), _LONGEST_WAIT_SECONDS)
    try:
        until = email.utils.parsedate_to_datetime(said)
    except ValueError:
        return None
    if until.tzinfo is None:
        return None
    return min(max(0.0, (until - datetime.now(UTC)).total_seconds()), _LONGEST_WAIT_SECONDS)
