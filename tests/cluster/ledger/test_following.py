import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger import watching
from cluster.ledger.following import Following
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Event, Lease, PartId, Stage
from cluster.ledger.watching import State, Watching
from tests.fixtures.ledgers import claimed, request, scene
from tests.fixtures.postgres import PostgresServer

PATIENCE_SECONDS = 60.0
PARTS = 12

Heard = tuple[int, str]


class Door:
    """What a replica has."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.states = 0
        self.watching: Watching[str] = Watching(ledger, render)
        self.following = Following(self.watching, ledger, self._state)

    def _state(self, job_id: str) -> State[str]:
        self.states += 1
        job = self.ledger.job(job_id)
        return State(job.seq, job.status.terminal, "state")

    async def hear(self, job_id: str, after: int | None = None, *, stop_after: int | None = None) -> list[Heard]:
        heard: list[Heard] = []
        async with aclosing(self.following.follow(job_id, after)) as messages:
            async for message in messages:
                assert message is not None  # nobody asked for beats
                heard.append(message)
                if len(heard) == stop_after:
                    break
        return heard


def render(events: Sequence[Event]) -> list[str]:
    return [f"event {event.seq}" for event in events]


@pytest.fixture
def opened(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(watching, "GATHER_SECONDS", 0.005)
    ledger = Ledger(database_url)
    yield ledger
    ledger.close()


def run(ledger: Ledger, story: Callable[[Door], Awaitable[None]]) -> Door:
    door = Door(ledger)

    async def in_time() -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await story(door)
        finally:
            await door.watching.close()

    asyncio.run(in_time())
    return door


def work(ledger: Ledger, lease: Lease) -> None:
    """A job from its claim to its end."""
    ledger.expect(lease, Stage.TRANSCRIPTION, "", PARTS)
    for index in range(PARTS):
        ledger.finish(lease, scene(index), "key", seconds=1.0)
    ledger.publish(lease, "es", {"video": "a"}, {})


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for happens in threads
        await asyncio.sleep(0.01)


def assert_story(heard: list[Heard], last: int, after: int) -> None:
    assert heard == [(seq, f"event {seq}") for seq in range(after + 1, last + 1)]


def test_a_watcher_gets_the_state_and_then_every_event_up_to_the_end(opened: Ledger) -> None:
    lease = claimed(opened)
    known = opened.job(lease.job_id).seq

    async def story(door: Door) -> None:
        hearing = asyncio.create_task(door.hear(lease.job_id))
        await until(lambda: door.states == 1)
        await asyncio.to_thread(work, opened, lease)
        heard = await hearing
        assert heard[0] == (known, "state")
        assert_story(heard[1:], opened.job(lease.job_id).seq, known)

    run(opened, story)


def test_who_comes_after_the_end_gets_the_state_and_nothing_more(opened: Ledger) -> None:
    lease = claimed(opened)
    work(opened, lease)
    last = opened.job(lease.job_id).seq

    async def story(door: Door) -> None:
        assert await door.hear(lease.job_id) == [(last, "state")]
        assert await door.hear(lease.job_id, after=last) == []
        assert_story(await door.hear(lease.job_id, after=2), last, 2)

    run(opened, story)


def test_the_end_of_an_attempt_in_the_past_is_not_the_end(opened: Ledger) -> None:
    lease = claimed(opened)
    work(opened, lease)
    opened.requeue(lease.job_id)

    async def story(door: Door) -> None:
        hearing = asyncio.create_task(door.hear(lease.job_id, after=0))
        await until(lambda: door.watching.watchers == 1)
        await asyncio.to_thread(opened.cancel, lease.job_id)
        assert_story(await hearing, opened.job(lease.job_id).seq, 0)

    run(opened, story)


@pytest.mark.parametrize("after", [-1, 10**6])
def test_a_number_that_the_job_never_had_gives_the_state(opened: Ledger, after: int) -> None:
    lease = claimed(opened)
    opened.cancel(lease.job_id)

    async def story(door: Door) -> None:
        assert [message for _, message in await door.hear(lease.job_id, after=after)] == ["state"]

    run(opened, story)


def test_an_unknown_job_is_not_found(opened: Ledger) -> None:
    async def story(door: Door) -> None:
        with pytest.raises(DubflowError) as refused:
            await door.hear("nobody")
        assert refused.value.code is ErrorCode.NOT_FOUND

    run(opened, story)


@settings(max_examples=10)
@given(breaks=st.lists(st.integers(1, 6), max_size=8))
def test_wherever_the_connection_breaks_the_whole_story_is_heard_once(
    breaks: list[int], sqlite_template: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.005)
    ledger = Ledger(sqlite_url)
    lease = claimed(ledger, name=f"talk {breaks}", source_version=str(breaks))
    heard: list[Heard] = []

    async def story(door: Door) -> None:
        working = asyncio.create_task(asyncio.to_thread(work, ledger, lease))
        for count in breaks:
            heard.extend(await door.hear(lease.job_id, heard[-1][0] if heard else 0, stop_after=count))
        heard.extend(await door.hear(lease.job_id, heard[-1][0] if heard else 0))
        await working

    run(ledger, story)
    assert_story(heard, ledger.job(lease.job_id).seq, 0)
    ledger.close()


def test_two_hundred_watchers_of_one_job_cost_the_reads_of_one(opened: Ledger) -> None:
    lease = claimed(opened)
    known = opened.job(lease.job_id).seq

    async def story(door: Door) -> None:
        hearing = [asyncio.create_task(door.hear(lease.job_id)) for _ in range(200)]
        await until(lambda: door.watching.watchers == 200 and not any(task.done() for task in hearing))
        await until(lambda: door.states > 0)
        before = door.watching.reads
        await asyncio.to_thread(opened.cancel, lease.job_id)
        stories = await asyncio.gather(*hearing)
        assert door.watching.reads - before < 50
        last = opened.job(lease.job_id).seq
        for heard in stories:
            assert heard[0][1] == "state"
            assert known <= heard[0][0]
            assert_story(heard[1:], last, heard[0][0])

    door = run(opened, story)
    assert door.states < 20
    assert door.watching.watchers == 0


def test_every_job_has_its_own_watchers(opened: Ledger) -> None:
    jobs = [opened.submit(request(str(number))) for number in range(110)]

    async def story(door: Door) -> None:
        hearing = [asyncio.create_task(door.hear(job.id, after=job.seq)) for job in jobs]
        await until(lambda: door.watching.watchers == len(jobs))
        for job in jobs:
            await asyncio.to_thread(opened.cancel, job.id)
        for job, heard in zip(jobs, await asyncio.gather(*hearing), strict=True):
            assert_story(heard, opened.job(job.id).seq, job.seq)

    run(opened, story)


def test_a_slow_client_gets_the_state_again_instead_of_filling_the_memory(
    opened: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MAX_WAITING", 5)
    lease = claimed(opened)

    async def story(door: Door) -> None:
        async with aclosing(door.following.follow(lease.job_id)) as messages:
            first = await anext(messages)
            assert first is not None
            await asyncio.to_thread(work, opened, lease)
            last = opened.job(lease.job_id).seq
            watched = door.watching._watched[lease.job_id]
            await until(lambda: watched.seq == last)
            assert all(not watcher._waiting for watcher in watched.watchers)
            assert [first[1], await anext(messages)] == ["state", (last, "state")]
            with pytest.raises(StopAsyncIteration):
                await anext(messages)

    run(opened, story)


def test_silence_is_filled_with_beats(opened: Ledger) -> None:
    job = opened.submit(request())

    async def story(door: Door) -> None:
        async with aclosing(door.following.follow(job.id, beat=0.01)) as messages:
            assert [await anext(messages) for _ in range(3)] == [(job.seq, "state"), None, None]
            await asyncio.to_thread(opened.cancel, job.id)
            rest = [message async for message in messages if message is not None]
        assert_story(rest, opened.job(job.id).seq, job.seq)

    run(opened, story)


def test_the_task_rests_when_nobody_watches_and_works_again_for_the_next(opened: Ledger) -> None:
    async def story(door: Door) -> None:
        for name in ("first", "second"):
            job = opened.submit(request(name))
            hearing = asyncio.create_task(door.hear(job.id, after=job.seq))
            await until(lambda: door.watching.watchers == 1)
            await asyncio.to_thread(opened.cancel, job.id)
            assert len(await hearing) == opened.job(job.id).seq - job.seq

    run(opened, story)


def test_watchers_of_a_job_that_is_deleted_are_let_go(opened: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SWEEP_SECONDS", 0.05)
    lease = claimed(opened)

    async def story(door: Door) -> None:
        hearing = asyncio.create_task(door.hear(lease.job_id))
        await until(lambda: door.states == 1)
        door.watching._watched[lease.job_id].seq = 10**6  # its last event is never read
        await asyncio.to_thread(opened.cancel, lease.job_id)
        await asyncio.to_thread(opened.delete, lease.job_id)
        with pytest.raises(DubflowError) as refused:
            await hearing
        assert refused.value.code is ErrorCode.NOT_FOUND

    run(opened, story)


@pytest.mark.faults
def test_no_event_is_lost_while_postgresql_restarts(
    postgresql_url: str, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "RECONNECT_SECONDS", 0.1)
    ledger = Ledger(postgresql_url)
    lease = claimed(ledger)

    async def story(door: Door) -> None:
        known = ledger.job(lease.job_id).seq
        hearing = asyncio.create_task(door.hear(lease.job_id, after=known))
        await until(lambda: door.watching.reads > 0)
        await asyncio.to_thread(ledger.expect, lease, Stage.TRANSCRIPTION, "", PARTS)
        postgres.restart()  # in this thread: the server ends with the thread that started it
        await asyncio.to_thread(work, ledger, lease)
        assert_story(await hearing, ledger.job(lease.job_id).seq, known)

    run(ledger, story)
    ledger.close()


def test_other_processes_hear_by_notification_not_by_looking(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SWEEP_SECONDS", 10 * PATIENCE_SECONDS)
    writer, reader = Ledger(postgresql_url), Ledger(postgresql_url)
    lease = claimed(writer)

    async def story(door: Door) -> None:
        hearing = asyncio.create_task(door.hear(lease.job_id))
        await until(lambda: door.watching.reads > 1)  # the first look, and the one once it listens
        await asyncio.to_thread(writer.finish, lease, PartId(Stage.TRANSCRIPTION, 0), "key", seconds=1.0)
        await asyncio.to_thread(work, writer, lease)
        heard = await hearing
        assert heard[-1][0] == writer.job(lease.job_id).seq

    run(reader, story)
    writer.close()
    reader.close()
