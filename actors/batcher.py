"""Fills an engine's batches with the requests of many rows that wait in one actor."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

from actors.batch_budget import BatchBudget, is_out_of_memory
from actors.contracts.engine import Engine, EngineError

Request = TypeVar("Request")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting(Generic[Request, Result]):
    request: Request
    cost: float
    answer: "asyncio.Future[Result]"


@dataclass(frozen=True, slots=True)
class Batch:
    """What an engine was asked at once.

    Attributes:
        requests: How many.
        fill: The share of the budget that they cost; above 1 for a lone request that costs more.
        seconds: How long the engine was at work.
    """

    requests: int
    fill: float
    seconds: float


def _ignore(_batch: Batch) -> None:
    """Nobody wants to know."""


class MicroBatcher(Generic[Request, Result]):
    """Runs one engine in one thread of its own, for any number of coroutines of one event loop.

    An idle engine starts at once with whatever is there: a lone request never waits for company. While the engine is
    busy, requests gather up to the budget: urgent ones first, then as they came. Requests that nobody waits for any
    more leave. A batch that the engine breaks on is split, so that only the request that breaks it fails; one that does
    not fit into the device's memory is split as well, and later batches are smaller.

    Args:
        engine: Already loaded; it is used from the batcher's thread only.
        budget: How much one batch may cost together; a request that costs more runs alone.
        cost: What a request costs, in the unit of the budget (seconds of audio, tokens, lines).
        on_batch: Is told of every batch that was served.
    """

    def __init__(
        self,
        engine: Engine[Request, Result],
        *,
        budget: float,
        cost: Callable[[Request], float],
        on_batch: Callable[[Batch], None] = _ignore,
    ) -> None:
        self._engine = engine
        self._budget = BatchBudget(budget)
        self._cost = cost
        self._on_batch = on_batch
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._urgent: deque[_Waiting[Request, Result]] = deque()
        self._others: deque[_Waiting[Request, Result]] = deque()
        self._working: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, request: Request, *, urgent: bool = False) -> Result:
        """Wait for the engine's answer to one request.

        Raises:
            EngineError: What the engine answered, or `engine_failed` where it broke on this very request.
        """
        if self._closed:
            raise EngineError("the engine is closed", retryable=True)
        waiting = _Waiting(request, self._cost(request), asyncio.get_running_loop().create_future())
        (self._urgent if urgent else self._others).append(waiting)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        result: Result = await waiting.answer
        return result

    async def close(self) -> None:
        """Serve what was submitted, refuse anything new, and close the engine in its own thread."""
        if self._closed:
            return
        self._closed = True
        if self._working is not None:
            await self._working
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.close)
        self._thread.shutdown()

    async def _work(self) -> None:
        while batch := self._next_batch():
            started = monotonic()
            budget = self._budget.now
            outcomes = await asyncio.get_running_loop().run_in_executor(self._thread, self._serve, batch)
            for waiting, outcome in zip(batch, outcomes, strict=True):
                _deliver(waiting.answer, outcome)
            fill = _cost(batch) / budget
            with suppress(Exception):  # whoever only counts must not end the work of all others
                self._on_batch(Batch(len(batch), fill, monotonic() - started))

    def _next_batch(self) -> list[_Waiting[Request, Result]]:
        batch: list[_Waiting[Request, Result]] = []
        spent = 0.0
        while queue := self._urgent or self._others:
            if queue[0].answer.done():  # Its waiter was cancelled.
                queue.popleft()
                continue
            spent += queue[0].cost
            if batch and spent > self._budget.now:
                break
            batch.append(queue.popleft())
        return batch

    def _serve(self, batch: Sequence[_Waiting[Request, Result]]) -> list[Result | EngineError]:
        """One outcome a request, whatever the engine does.

        An engine that breaks on a batch is asked again for each half, down to the one request that breaks it.
        """
        try:
            outcomes = list(self._engine.run([waiting.request for waiting in batch]))
            if len(outcomes) != len(batch):
                raise EngineError(f"the engine gave {len(outcomes)} answers to {len(batch)} requests")
        except BaseException as error:  # noqa: BLE001 - an engine may raise anything, even exit; somebody waits
            if len(batch) == 1:
                return [_as_engine_error(error)]
            if is_out_of_memory(error):
                self._budget.overran(_cost(batch))
            half = len(batch) // 2
            return self._serve(batch[:half]) + self._serve(batch[half:])
        self._budget.fitted()
        return outcomes


def _cost(batch: Sequence[_Waiting[Request, Result]]) -> float:
    return sum(waiting.cost for waiting in batch)


def _as_engine_error(error: BaseException) -> EngineError:
    if isinstance(error, EngineError):
        return error
    if is_out_of_memory(error):
        return EngineError(f"the memory does not suffice for this request alone: {error}", retryable=True)
    failure = EngineError(f"the engine failed on a request: {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure


def _deliver(answer: "asyncio.Future[Result]", outcome: Result | EngineError) -> None:
    if answer.done():  # Its waiter was cancelled while the engine ran.
        return
    if isinstance(outcome, EngineError):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
