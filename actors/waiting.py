"""What an engine's queues have in common, whether it is fed in batches or all the time."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from actors.batch_budget import is_out_of_memory
from actors.contracts.engine import EngineError

Request = TypeVar("Request")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Batch:
    """What an engine had in hand at once.

    Attributes:
        requests: How many.
        fill: The share of what it may have that they cost; above 1 for a lone request that costs more.
        seconds: For how long the engine was at work on it.
    """

    requests: int
    fill: float
    seconds: float


def ignore(_batch: Batch) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True, eq=False)
class Waiting(Generic[Request, Result]):
    """Somebody who waits: the answer is cancelled when they leave."""

    request: Request
    cost: float
    answer: asyncio.Future[Result]


@dataclass(frozen=True, slots=True)
class Lanes(Generic[Request, Result]):
    """Who waits: urgent ones first, then as they came."""

    _urgent: deque[Waiting[Request, Result]] = field(default_factory=deque)
    _others: deque[Waiting[Request, Result]] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others)

    def add(self, waiting: Waiting[Request, Result], *, urgent: bool) -> None:
        """Somebody comes."""
        (self._urgent if urgent else self._others).append(waiting)

    def first(self) -> Waiting[Request, Result] | None:
        """Whose turn it is; those who have left are forgotten."""
        while queue := self._urgent or self._others:
            if not queue[0].answer.done():
                return queue[0]
            queue.popleft()
        return None

    def leave(self) -> None:
        """The first one is served."""
        (self._urgent or self._others).popleft()


def as_engine_error(error: BaseException) -> EngineError:
    """Whatever an engine raises of one request, in the form that callers know."""
    if isinstance(error, EngineError):
        return error
    if is_out_of_memory(error):
        return EngineError(f"the memory does not suffice for this request alone: {error}", retryable=True)
    failure = EngineError(f"the engine failed on a request: {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure
