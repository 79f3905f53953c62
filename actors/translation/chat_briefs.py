"""What a language model is told of a whole script, asked for once for all its passages."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b

from actors.contracts.translation import TranslationRequest
from actors.translation.chat_prompts import Brief

LINES_WORTH_A_BRIEF = 8
"""A shorter script is nearly all context already."""
_KEPT = 64


@dataclass(slots=True, eq=False)
class _Asked:
    """A question that several passages wait for."""

    answer: asyncio.Task[Brief]
    waiting: int = 0


class Briefs:
    """Asked by the first passage of a script that comes; the others wait for the same answer.

    What failed is asked again by the next one, and what the last one to wait for has left is withdrawn.

    Args:
        ask: Has the model read a script.
    """

    def __init__(self, ask: Callable[[TranslationRequest], Awaitable[Brief]]) -> None:
        self._ask = ask
        self._asked: OrderedDict[bytes, _Asked] = OrderedDict()

    async def of(self, request: TranslationRequest) -> Brief:
        """What the model is told before a passage; nothing of a short script.

        Raises:
            EngineError: The model cannot answer.
        """
        if len(request.document) < LINES_WORTH_A_BRIEF:
            return Brief()
        key = _digest(request)
        asked = self._asked.get(key) or self._begin(key, request)
        self._asked.move_to_end(key)
        asked.waiting += 1
        try:
            return await asyncio.shield(asked.answer)
        finally:
            asked.waiting -= 1
            self._let_go(key, asked)

    def _begin(self, key: bytes, request: TranslationRequest) -> _Asked:
        asked = self._asked[key] = _Asked(asyncio.ensure_future(self._ask(request)))
        while len(self._asked) > _KEPT:
            self._asked.popitem(last=False)
        return asked

    def _let_go(self, key: bytes, asked: _Asked) -> None:
        """Forget what failed, and what nobody waits for any more."""
        if asked.answer.done():
            useful = not asked.answer.cancelled() and asked.answer.exception() is None
        else:
            useful = asked.waiting > 0
        if useful:
            return
        asked.answer.cancel()
        if self._asked.get(key) is asked:
            del self._asked[key]


def _digest(request: TranslationRequest) -> bytes:
    said = "\n".join((request.target_language, *request.document))
    return blake2b(said.encode(errors="surrogatepass"), digest_size=16).digest()
