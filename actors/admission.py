"""Lets the requests of many rows into an engine that answers many of them at the same time."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Generic, TypeVar

from actors.contracts.engine import ConcurrentEngine, EngineError
from actors.waiting import Batch, Lanes, Waiting, as_engine_error, ignore

Request = TypeVar("Request")
Result = TypeVar("Result")


class Admission(Generic[Request, Result]):
    """Feeds one engine, for any number of coroutines of one event loop: who is answered makes room for the next one.

    As many requests are with the engine as it answers at once; the others wait here, urgent ones first, then as they
    came. A request that nobody waits for any more leaves, and one that the engine is at work on is withdrawn from it;
    its place is free when the engine has let go of it. A request that fails costs itself.

    Args:
        engine: Already loaded; it is used in the loop of who submits.
        on_answer: Is told, whenever one is over, what the engine had in hand, and since when it was last told.
    """

    def __init__(
        self, engine: ConcurrentEngine[Request, Result], *, on_answer: Callable[[Batch], None] = ignore
    ) -> None:
        self._engine = engine
        self._on_answer = on_answer
        self._lanes: Lanes[Request, None] = Lanes()
        self._inside = 0
        self._told = 0.0
        self._empty = asyncio.Event()
        self._empty.set()
        self._closed = False

    async def submit(self, request: Request, *, urgent: bool = False) -> Result:
        """Wait for the engine's answer to one request.

        Raises:
            EngineError: What the engine says of it, or `engine_failed` where it broke on this very request.
        """
        if self._closed:
            raise EngineError("the engine is closed", retryable=True)
        await self._enter(request, urgent=urgent)
        try:
            return await self._engine.answer(request)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - an engine may raise anything, even exit; somebody waits
            raise as_engine_error(error) from error.__cause__
        finally:
            self._exit()

    async def close(self) -> None:
        """Serve what was submitted, refuse anything new, and close the engine."""
        if self._closed:
            return
        self._closed = True
        await self._empty.wait()
        await self._engine.close()

    async def _enter(self, request: Request, *, urgent: bool) -> None:
        waiting: Waiting[Request, None] = Waiting(request, 1.0, asyncio.get_running_loop().create_future())
        self._lanes.add(waiting, urgent=urgent)
        self._empty.clear()
        self._admit()
        try:
            await waiting.answer
        except asyncio.CancelledError:
            if waiting.answer.done() and not waiting.answer.cancelled():  # let in at the moment of leaving
                self._exit()
            else:
                self._admit()
            raise

    def _admit(self) -> None:
        """Let in as many as there is room for."""
        while self._inside < self._engine.at_once and (waiting := self._lanes.first()):
            self._lanes.leave()
            self._inside += 1
            if self._inside == 1:
                self._told = monotonic()
            waiting.answer.set_result(None)
        if not self._inside and self._lanes.first() is None:
            self._empty.set()

    def _exit(self) -> None:
        now = monotonic()
        batch = Batch(self._inside, self._inside / self._engine.at_once, now - self._told)
        self._inside -= 1
        self._told = now
        self._admit()
        with suppress(Exception):  # whoever only counts must not end the work of all others
            self._on_answer(batch)
