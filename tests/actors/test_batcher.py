import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.batcher import MicroBatcher
from actors.contracts.engine import Capability, EngineError, EngineInfo
from actors.waiting import Batch


@dataclass(frozen=True)
class Job:
    """A request; `fate` is what happens to it in the engine."""

    number: int
    cost: float = 1.0
    fate: str = "served"


@dataclass
class Recorder:
    """An engine that answers with the request's number and remembers its batches; waits for `gate` before each."""

    gate: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)
    batches: list[list[Job]] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    closed: bool = False

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("recorder", Capability.TRANSLATION, "1", "", "MIT")

    def check(self) -> None: ...

    def load(self) -> None: ...

    def run(self, batch: Sequence[Job]) -> list[int | EngineError]:
        self.started.set()
        self.gate.wait(10)
        self.threads.add(threading.get_ident())
        self.batches.append(list(batch))
        if any(job.fate == "breaks" for job in batch):
            raise ValueError("broken")
        if any(job.fate == "exits" for job in batch):
            raise SystemExit(3)
        if any(job.fate == "forgotten" for job in batch):
            return []
        return [EngineError("refused", code="x") if job.fate == "refused" else job.number for job in batch]

    def close(self) -> None:
        self.threads.add(threading.get_ident())
        self.closed = True


def open_gate() -> threading.Event:
    gate = threading.Event()
    gate.set()
    return gate


def batcher(engine: Recorder, budget: float = 10.0) -> MicroBatcher[Job, int]:
    return MicroBatcher(engine, budget=budget, cost=lambda job: job.cost)


async def busy(engine: Recorder, queue: MicroBatcher[Job, int]) -> "asyncio.Task[int]":
    """Start a first request and return when the engine is at work on it."""
    first = asyncio.create_task(queue.submit(Job(-1)))
    await asyncio.to_thread(engine.started.wait, 10)
    return first


JOBS = st.lists(
    st.builds(
        Job,
        number=st.integers(0, 1000),
        cost=st.floats(0, 12),
        fate=st.sampled_from(["served"] * 6 + ["refused", "breaks", "exits", "forgotten"]),
    ),
    max_size=15,
)


@given(jobs=JOBS, pauses=st.lists(st.integers(0, 3), max_size=15), cancelled=st.sets(st.integers(0, 14)))
@settings(max_examples=60)
def test_everybody_gets_their_own_answer_whoever_else_fails_or_leaves(
    jobs: list[Job], pauses: list[int], cancelled: set[int]
) -> None:
    engine = Recorder(gate=open_gate())

    async def scenario() -> list[int | BaseException]:
        queue = batcher(engine)
        tasks = []
        for i, job in enumerate(jobs):
            tasks.append(asyncio.create_task(queue.submit(job)))
            for _ in range(pauses[i] if i < len(pauses) else 0):
                await asyncio.sleep(0)
        for i in cancelled & set(range(len(tasks))):
            tasks[i].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await queue.close()
        return answers

    answers = asyncio.run(scenario())
    for i, (job, answer) in enumerate(zip(jobs, answers, strict=True)):
        if i in cancelled and isinstance(answer, asyncio.CancelledError):
            continue
        if job.fate == "served":
            assert answer == job.number
        else:
            assert isinstance(answer, EngineError)
            assert answer.code == ("x" if job.fate == "refused" else "engine_failed")
    assert all(len(batch) == 1 or sum(job.cost for job in batch) <= 10 for batch in engine.batches)
    assert len(engine.threads) == 1


def test_an_idle_engine_starts_with_a_lone_request() -> None:
    engine = Recorder(gate=open_gate())

    async def scenario() -> int:
        return await asyncio.wait_for(batcher(engine, budget=1000).submit(Job(7)), 5)

    assert asyncio.run(scenario()) == 7


def test_requests_gather_while_the_engine_is_busy_up_to_the_budget_and_in_order() -> None:
    engine = Recorder()

    async def scenario() -> None:
        queue = batcher(engine, budget=4)
        tasks = [await busy(engine, queue)]
        tasks += [asyncio.create_task(queue.submit(Job(n, cost=1.5))) for n in range(5)]
        await asyncio.sleep(0.01)
        engine.gate.set()
        assert await asyncio.gather(*tasks) == [-1, 0, 1, 2, 3, 4]

    asyncio.run(scenario())
    assert [[job.number for job in batch] for batch in engine.batches] == [[-1], [0, 1], [2, 3], [4]]


def test_a_request_over_the_budget_runs_alone() -> None:
    engine = Recorder()

    async def scenario() -> None:
        queue = batcher(engine, budget=4)
        tasks = [await busy(engine, queue)]
        tasks += [asyncio.create_task(queue.submit(Job(n, cost=cost))) for n, cost in enumerate([1, 100, 1])]
        await asyncio.sleep(0.01)
        engine.gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())
    assert [[job.number for job in batch] for batch in engine.batches] == [[-1], [0], [1], [2]]


def test_a_cancelled_waiter_leaves_the_queue_and_others_move_up() -> None:
    engine = Recorder()

    async def scenario() -> None:
        queue = batcher(engine, budget=2)
        first = await busy(engine, queue)
        tasks = [asyncio.create_task(queue.submit(Job(n))) for n in range(4)]
        await asyncio.sleep(0.01)
        tasks[1].cancel()
        await asyncio.sleep(0.01)
        engine.gate.set()
        await asyncio.gather(first, *tasks, return_exceptions=True)

    asyncio.run(scenario())
    assert [[job.number for job in batch] for batch in engine.batches] == [[-1], [0, 2], [3]]


def test_a_waiter_cancelled_while_its_batch_runs_disturbs_nobody() -> None:
    engine = Recorder()

    async def scenario() -> int:
        queue = batcher(engine)
        first = await busy(engine, queue)
        second = asyncio.create_task(queue.submit(Job(2)))
        await asyncio.sleep(0.01)
        first.cancel()
        engine.gate.set()
        return await second

    assert asyncio.run(scenario()) == 2


def test_one_bad_request_is_found_by_halving() -> None:
    engine = Recorder()

    async def scenario() -> list[int | BaseException]:
        queue = batcher(engine, budget=100)
        first = await busy(engine, queue)
        tasks = [asyncio.create_task(queue.submit(Job(n, fate="breaks" if n == 5 else "served"))) for n in range(8)]
        await asyncio.sleep(0.01)
        engine.gate.set()
        await first
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(scenario())
    (error,) = [answer for answer in answers if isinstance(answer, EngineError)]
    assert answers.index(error) == 5
    assert isinstance(error.__cause__, ValueError)
    assert [answer for answer in answers if answer is not error] == [0, 1, 2, 3, 4, 6, 7]
    assert len(engine.batches) == 1 + 7


def test_close_serves_what_waits_refuses_what_comes_and_closes_the_engine_in_its_thread() -> None:
    engine = Recorder()

    async def scenario() -> None:
        queue = batcher(engine, budget=1)
        tasks = [await busy(engine, queue), asyncio.create_task(queue.submit(Job(1)))]
        await asyncio.sleep(0.01)
        closing = asyncio.create_task(queue.close())
        await asyncio.sleep(0.01)
        with pytest.raises(EngineError, match="closed"):
            await queue.submit(Job(2))
        engine.gate.set()
        assert await asyncio.gather(*tasks) == [-1, 1]
        await closing
        await queue.close()

    asyncio.run(scenario())
    assert engine.closed
    assert len(engine.threads) == 1
    assert threading.get_ident() not in engine.threads


def test_a_request_whose_cost_cannot_be_told_fails_at_once() -> None:
    async def scenario() -> None:
        queue: MicroBatcher[Job, int] = MicroBatcher(Recorder(gate=open_gate()), budget=1, cost=lambda _job: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await queue.submit(Job(1))

    asyncio.run(scenario())


def test_urgent_requests_go_before_those_that_came_earlier() -> None:
    async def scenario() -> None:
        engine = Recorder()
        queue = batcher(engine, budget=2)
        first = await busy(engine, queue)
        others = [asyncio.create_task(queue.submit(Job(number))) for number in range(3)]
        await asyncio.sleep(0)
        urgent = asyncio.create_task(queue.submit(Job(7), urgent=True))
        await asyncio.sleep(0)
        engine.gate.set()
        await asyncio.gather(first, *others, urgent)
        await queue.close()
        assert [[job.number for job in batch] for batch in engine.batches] == [[-1], [7, 0], [1, 2]]

    asyncio.run(scenario())


def test_whoever_wants_to_is_told_how_full_each_batch_was() -> None:
    engine = Recorder(gate=threading.Event())
    told = list[Batch]()

    async def scenario() -> None:
        queue: MicroBatcher[Job, int] = MicroBatcher(
            engine, budget=10.0, cost=lambda job: job.cost, on_batch=told.append
        )
        first = await busy(engine, queue)
        later = [asyncio.create_task(queue.submit(Job(number, cost=4.0))) for number in range(3)]
        await asyncio.sleep(0)
        engine.gate.set()
        await asyncio.gather(first, *later)
        await queue.close()

    asyncio.run(scenario())

    assert [(batch.requests, batch.fill) for batch in told] == [(1, pytest.approx(0.1)), (2, 0.8), (1, 0.4)]
    assert all(batch.seconds >= 0 for batch in told)
