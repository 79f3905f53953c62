import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.batch_budget import RECOVER_AFTER, BatchBudget, is_out_of_memory
from actors.batcher import MicroBatcher
from actors.contracts.engine import Capability, EngineError, EngineInfo


class OutOfMemoryError(RuntimeError):
    """Named as torch names its own."""


@dataclass
class SmallDevice:
    """An engine whose device holds so much at a time."""

    capacity: float
    served: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("small", Capability.SPEECH, "1", "", "MIT")

    def check(self) -> None: ...

    def load(self) -> None: ...

    def run(self, batch: Sequence[float]) -> list[float | EngineError]:
        if sum(batch) > self.capacity:
            self.refused.append(sum(batch))
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        self.served.append(sum(batch))
        return list(batch)

    def close(self) -> None: ...


def ask(engine: SmallDevice, rounds: Sequence[Sequence[float]], budget: float) -> list[float | BaseException]:
    """Each round is submitted as one crowd, after the round before was answered."""

    async def scenario() -> list[float | BaseException]:
        queue = MicroBatcher(engine, budget=budget, cost=lambda request: request)
        answers: list[float | BaseException] = []
        for costs in rounds:
            answers += await asyncio.gather(*(queue.submit(cost) for cost in costs), return_exceptions=True)
        await queue.close()
        return answers

    return asyncio.run(scenario())


@given(
    capacity=st.floats(1, 50),
    crowds=st.lists(st.lists(st.floats(0.1, 60), min_size=1, max_size=12), min_size=1, max_size=6),
)
def test_whoever_fits_alone_is_served_and_nobody_else_costs_them_that(
    capacity: float, crowds: list[list[float]]
) -> None:
    engine = SmallDevice(capacity)
    answers = ask(engine, crowds, budget=100.0)
    for cost, answer in zip([cost for crowd in crowds for cost in crowd], answers, strict=True):
        if cost <= capacity:
            assert answer == cost
        else:
            assert isinstance(answer, EngineError)
            assert (answer.code, answer.retryable) == ("engine_failed", True)
    assert all(cost <= capacity for cost in engine.served)


def test_batches_become_small_enough_and_memory_runs_out_no_more() -> None:
    engine = SmallDevice(capacity=10.0)
    ask(engine, [[1.0] * 40] * 3, budget=40.0)
    tries = len(engine.refused)
    assert 0 < tries <= 4
    ask_again = len(engine.served)
    assert max(engine.served) <= 10
    assert ask_again < 3 * 40 / 3, "small enough is not one by one"


@given(st.lists(st.one_of(st.none(), st.floats(0.01, 200)), max_size=80))
def test_the_budget_stays_within_its_bounds(story: list[float | None]) -> None:
    budget = BatchBudget(64.0)
    for cost in story:
        before = budget.now
        if cost is None:
            budget.fitted()
            assert before <= budget.now <= min(64.0, 2 * before)
        else:
            budget.overran(cost)
            assert budget.now <= min(before, cost) / 2
        assert 0 < budget.now <= 64.0


def test_the_budget_is_won_back_after_many_batches_that_fitted() -> None:
    budget = BatchBudget(64.0)
    budget.overran(64.0)
    assert budget.now == 32.0
    for _ in range(RECOVER_AFTER - 1):
        budget.fitted()
    assert budget.now == 32.0
    budget.fitted()
    assert budget.now == 64.0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OutOfMemoryError("nothing more"), True),
        (RuntimeError("CUDA failed with error out of memory"), True),
        (RuntimeError("CUDA failed with error invalid argument"), False),
        (ValueError("memory"), False),
    ],
)
def test_libraries_say_it_in_their_own_ways(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
