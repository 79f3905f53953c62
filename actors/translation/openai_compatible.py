"""Any server with OpenAI's chat completions: a company's own, a local one, or a paid one."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.translation import Translation, TranslationRequest
from actors.translation.chat_languages import chat_pairs
from actors.translation.chat_server import ChatServer
from actors.translation.chat_translator import ChatTranslator
from actors.translation.fallback import Fallback

VERSION = "1"


class OpenAiCompatible:
    """Translates passages by asking a server.

    Parameters: `url` (up to `/v1`), `model`, `key`, `languages`, `fallback` (an engine's name, or `none`), `seconds`
    (that an answer may take), `at_once` (questions on their way), `structured` (`no` for a server that refuses
    schemas), `extra` (JSON that is added to every request), `licence` (of the model, shown to people).
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._url = options.parameters.get("url", "")
        self._model = options.parameters.get("model") or options.model
        self._extra = _object(options.parameters.get("extra", "{}"))
        self._at_once = max(1, int(options.number("at_once", 16)))
        self._fallback = Fallback(options.parameters.get("fallback", "apertium"), options)
        self._server: ChatServer | None = None
        self._translator: ChatTranslator | None = None

    @property
    def info(self) -> EngineInfo:
        """Who the engine is; where the server stands does not change results, so it may move."""
        extra = json.dumps(self._extra, sort_keys=True) if self._extra else ""
        return EngineInfo(
            name="openai",
            capability=Capability.TRANSLATION,
            version=f"{VERSION}{extra}",
            model=self._model or "none",
            licence=self._options.parameters.get("licence", "the server's"),
        )

    def check(self) -> None:
        """Tell whether it is known whom to ask.

        Raises:
            EngineError: `invalid_request`.
        """
        address = urlsplit(self._url)
        if address.scheme not in {"http", "https"} or not address.netloc or not self._model:
            raise EngineError(
                "translation.openai needs the url (as in http://127.0.0.1:8000/v1) and the model of a server; set "
                'DUBFLOW_ENGINE_PARAMETERS=\'{"translation.openai": {"url": "...", "model": "..."}}\'',
                code="invalid_request",
            )

    def load(self) -> None:
        """Get ready to ask.

        Raises:
            EngineError: `invalid_request`.
        """
        self.check()
        parameters = self._options.parameters
        self._server = ChatServer(
            self._url,
            self._model,
            key=parameters.get("key", ""),
            seconds=self._options.number("seconds", 120),
            at_once=self._at_once,
            structured=parameters.get("structured", "yes") != "no",
            extra=self._extra,
        )
        self._translator = ChatTranslator(self._server, self._fallback)

    def pairs(self) -> frozenset[tuple[str, str]]:
        """What the model is trusted with."""
        return chat_pairs(self._options)

    @property
    def at_once(self) -> int:
        """How many passages are with the server at most."""
        return self._at_once

    async def answer(self, request: TranslationRequest) -> Translation:
        """Translate a passage.

        Raises:
            EngineError: The server cannot answer, or gave nothing that can be used.
        """
        if self._translator is None:
            raise EngineError("load the translation engine before it is used", code="model_load_failed")
        return await self._translator.translate(request)

    async def close(self) -> None:
        """Close the connections."""
        if self._server is not None:
            await self._server.close()
        await asyncio.to_thread(self._fallback.close)
        self._translator = self._server = None


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise EngineError("the parameter extra of translation.openai is no JSON object", code="invalid_request")
    return found
