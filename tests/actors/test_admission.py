import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.admission import Admission
from actors.contracts.engine import Capability, ConcurrentEngine, EngineError, EngineInfo
from actors.waiting import Batch


@dataclass(frozen=True)
class Job:
    """A request; `fate` is what happens to it in the engine, after so many turns of the loop."""

    number: int
    turns: int = 0
    fate: str = "served"


@dataclass
class Server:
    """An engine that answers with the request's number, and remembers who came, was over, and was withdrawn."""

    at_once: int = 3
    inside: set[int] = field(default_factory=set)
    most: int = 0
    came: list[int] = field(default_factory=list)
    over: list[int] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)
    gates: dict[int, asyncio.Event] = field(default_factory=dict)
    closed: bool = False

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("server", Capability.TRANSLATION, "1", "", "MIT")

    def check(self) -> None: ...

    def load(self) -> None: ...

    async def answer(self, job: Job) -> int:
        assert not self.closed
        self.came.append(job.number)
        self.inside.add(id(job))
        self.most = max(self.most, len(self.inside))
        try:
            for _ in range(job.turns):
                await asyncio.sleep(0)
            if job.number in self.gates:
                await self.gates[job.number].wait()
        except asyncio.CancelledError:
            self.withdrawn.append(job.number)
            await asyncio.sleep(0)  # letting go takes a while
            raise
        finally:
            self.inside.remove(id(job))
        self.over.append(job.number)
        if job.fate == "breaks":
            raise ValueError("broken")
        if job.fate == "exits":
            raise SystemExit(3)
        if job.fate == "refused":
            raise EngineError("refused", code="x")
        return job.number

    async def close(self) -> None:
        self.closed = True


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


def held(server: Server, *numbers: int) -> None:
    """Have the server keep these requests until their gate is opened."""
    server.gates |= {number: asyncio.Event() for number in numbers}


JOBS = st.lists(
    st.builds(
        Job,
        number=st.integers(0, 1000),
        turns=st.integers(0, 6),
        fate=st.sampled_from(["served"] * 6 + ["refused", "breaks", "exits"]),
    ),
    max_size=15,
)


@given(
    jobs=JOBS,
    pauses=st.lists(st.integers(0, 3), max_size=15),
    cancelled=st.dictionaries(st.integers(0, 14), st.integers(0, 8)),
    urgent=st.sets(st.integers(0, 14)),
    at_once=st.integers(1, 4),
)
@settings(max_examples=100)
def test_everybody_gets_their_own_answer_whoever_else_fails_or_leaves(
    jobs: list[Job], pauses: list[int], cancelled: dict[int, int], urgent: set[int], at_once: int
) -> None:
    server = Server(at_once)

    async def leave(task: "asyncio.Task[int]", after: int) -> None:
        for _ in range(after):
            await asyncio.sleep(0)
        task.cancel()

    async def scenario() -> list[int | BaseException]:
        queue = Admission(server)
        tasks, leaving = [], []
        for i, job in enumerate(jobs):
            tasks.append(asyncio.create_task(queue.submit(job, urgent=i in urgent)))
            if i in cancelled:
                leaving.append(asyncio.create_task(leave(tasks[-1], cancelled[i])))
            for _ in range(pauses[i] if i < len(pauses) else 0):
                await asyncio.sleep(0)
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*leaving)
        async with asyncio.timeout(10):
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
    assert server.most <= at_once
    assert not server.inside
    assert server.closed


def test_a_slow_request_holds_back_nobody_but_itself() -> None:
    server = Server(at_once=2)

    async def scenario() -> None:
        held(server, 0)
        queue = Admission(server)
        tasks = [asyncio.create_task(queue.submit(Job(number))) for number in range(6)]
        await until(lambda: len(server.over) == 5)
        assert not tasks[0].done()
        server.gates[0].set()
        assert await asyncio.gather(*tasks) == list(range(6))

    asyncio.run(scenario())
    assert server.over == [1, 2, 3, 4, 5, 0]
    assert server.most == 2


def test_urgent_requests_go_before_those_that_came_earlier() -> None:
    server = Server(at_once=1)

    async def scenario() -> None:
        held(server, 0)
        queue = Admission(server)
        first = asyncio.create_task(queue.submit(Job(0)))
        await until(lambda: server.came == [0])
        others = [asyncio.create_task(queue.submit(Job(number))) for number in (1, 2)]
        await asyncio.sleep(0)
        urgent = asyncio.create_task(queue.submit(Job(7), urgent=True))
        await asyncio.sleep(0)
        server.gates[0].set()
        await asyncio.gather(first, *others, urgent)

    asyncio.run(scenario())
    assert server.came == [0, 7, 1, 2]


def test_whoever_leaves_makes_room_when_the_engine_has_let_go() -> None:
    server = Server(at_once=1)

    async def scenario() -> None:
        held(server, 0)
        queue = Admission(server)
        first, gone, last = (asyncio.create_task(queue.submit(Job(number))) for number in range(3))
        await until(lambda: server.came == [0])
        gone.cancel()
        first.cancel()
        assert await last == 2
        assert first.cancelled()
        assert gone.cancelled()

    asyncio.run(scenario())
    assert server.came == [0, 2]
    assert server.withdrawn == [0]
    assert server.most == 1


def test_whoever_leaves_at_the_moment_of_being_let_in_passes_the_place_on() -> None:
    server = Server(at_once=1)

    async def scenario() -> None:
        held(server, 0)
        queue = Admission(server)
        first, second, third = (asyncio.create_task(queue.submit(Job(number))) for number in range(3))
        await until(lambda: server.came == [0])
        server.gates[0].set()
        await first
        second.cancel()  # its turn has come, and it does not know yet
        assert await third == 2

    asyncio.run(scenario())


def test_close_serves_what_waits_refuses_what_comes_and_closes_the_engine() -> None:
    server = Server(at_once=1)

    async def scenario() -> None:
        held(server, 0)
        queue = Admission(server)
        tasks = [asyncio.create_task(queue.submit(Job(number))) for number in range(3)]
        await until(lambda: server.came == [0])
        closing = asyncio.create_task(queue.close())
        await asyncio.sleep(0)
        with pytest.raises(EngineError, match="closed"):
            await queue.submit(Job(9))
        assert not server.closed
        server.gates[0].set()
        assert await asyncio.gather(*tasks) == [0, 1, 2]
        await closing
        await queue.close()

    asyncio.run(scenario())
    assert server.closed


def test_whoever_wants_to_is_told_what_was_in_hand() -> None:
    server, told = Server(at_once=4), list[Batch]()

    async def scenario() -> None:
        queue = Admission(server, on_answer=told.append)
        await asyncio.gather(*(queue.submit(Job(number, turns=9 + number)) for number in range(3)))
        await queue.close()

    asyncio.run(scenario())
    assert [(batch.requests, batch.fill) for batch in told] == [(3, 0.75), (2, 0.5), (1, 0.25)]
    assert all(batch.seconds >= 0 for batch in told)


def test_engines_are_told_apart_by_what_they_can() -> None:
    class Batches:
        info = EngineInfo("batches", Capability.TRANSLATION, "1", "", "MIT")

        def check(self) -> None: ...

        def load(self) -> None: ...

        def run(self, batch: list[Job]) -> list[int]:
            return [job.number for job in batch]

        def close(self) -> None: ...

    assert isinstance(Server(), ConcurrentEngine)
    assert not isinstance(Batches(), ConcurrentEngine)
