"""Fills an engine's batches with the requests of many rows that wait in one actor."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import Generic, TypeVar

from actors.batch_budget import BatchBudget, is_out_of_memory
from actors.contracts.engine import Engine, EngineError
from actors.waiting import Batch, Lanes, Waiting, as_engine_error, ignore

Request = TypeVar("Request")
Result = TypeVar("Result")


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
        on_batch: Callable[[Batch], None] = ignore,
    ) -> None:
        self._engine = engine
        self._budget = BatchBudget(budget)
        self._cost = cost
        self._on_batch = on_batch
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._lanes: Lanes[Request, Result] = Lanes()
        self._working: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, request: Request, *, urgent: bool = False) -> Result:
        """Wait for the engine's answer to one request.

        Raises:
            EngineError: What the engine answered, or `engine_failed` where it broke on this very request.
        """
        if self._closed:
            raise EngineError("the engine is closed", retryable=True)
        waiting = Waiting(request, self._cost(request), asyncio.get_running_loop().create_future())
        self._lanes.add(waiting, urgent=urgent)
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

    def _next_batch(self) -> list[Waiting[Request, Result]]:
        batch: list[Waiting[Request, Result]] = []
        spent = 0.0
        while first := self._lanes.first():
            spent += first.cost
            if batch and spent > self._budget.now:
                break
            self._lanes.leave()
            batch.append(first)
        return batch

    def _serve(self, batch: Sequence[Waiting[Request, Result]]) -> list[Result | EngineError]:
        """One outcome a request, whatever the engine does.

        An engine that breaks on a batch is asked again for each half, down to the one request that breaks it.
        """
        try:
            outcomes = list(self._engine.run([waiting.request for waiting in batch]))
            if len(outcomes) != len(batch):
                raise EngineError(f"the engine gave {len(outcomes)} answers to {len(batch)} requests")
        except BaseException as error:  # noqa: BLE001 - an engine may raise anything, even exit; somebody waits
            if len(batch) == 1:
                return [as_engine_error(error)]
            if is_out_of_memory(error):
                self._budget.overran(_cost(batch))
            half = len(batch) // 2
            return self._serve(batch[:half]) + self._serve(batch[half:])
        self._budget.fitted()
        return outcomes


def _cost(batch: Sequence[Waiting[Request, Result]]) -> float:
    return sum(waiting.cost for waiting in batch)


def _deliver(answer: "asyncio.Future[Result]", outcome: Result | EngineError) -> None:
    if answer.done():  # Its waiter was cancelled while the engine ran.
        return
    if isinstance(outcome, EngineError):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
