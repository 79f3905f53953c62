"""Real processes on one ledger: working together, killed, stopped, and with a database that restarts under them."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from cluster.ledger.ledger import Ledger
from cluster.ledger.records import JobStatus, Stage, StageStatus
from tests.fixtures import ledger_workers
from tests.fixtures.ledgers import request
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.processes import PROCESSES

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

PATIENCE_SECONDS = 60.0

pytestmark = pytest.mark.faults


class Workers:
    """Processes that run one function each, with a journal each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.running: list[BaseProcess] = []
        self.journals: list[Path] = []

    def start(self, function: Callable[[str, str, Path], None], url: str) -> None:
        name = f"owner-{len(self.running)}"
        journal = self._folder / f"{name}.journal"
        process = PROCESSES.Process(target=function, args=(url, name, journal))
        process.start()
        self.running.append(process)
        self.journals.append(journal)

    def wait_for(self, journal: Path) -> str:
        wait_until(lambda: journal.exists() and journal.read_text() != "")
        return journal.read_text()

    def join(self) -> None:
        for process in self.running:
            process.join(PATIENCE_SECONDS)
        assert [process.exitcode for process in self.running] == [0] * len(self.running)

    def lines(self) -> list[str]:
        return [line for journal in self.journals for line in journal.read_text().splitlines()]

    def end(self) -> None:
        for process in self.running:
            if process.is_alive():
                process.kill()
            process.join()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    started = Workers(tmp_path)
    yield started
    started.end()


@pytest.fixture
def opened(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger(database_url, lease_seconds=ledger_workers.LEASE_SECONDS)
    yield ledger
    ledger.close()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def require_whole_file(ledger: Ledger) -> None:
    for pragma, good in (("integrity_check", ["ok"]), ("foreign_key_check", [])):
        found = ledger._database.read(
            lambda connection, pragma=pragma: connection.scalars(text(f"PRAGMA {pragma}")).all()
        )
        assert found == good


def test_four_processes_share_four_hundred_jobs(database_url: str, opened: Ledger, workers: Workers) -> None:
    submitted = {opened.submit(request(str(number), tenant=f"tenant {number % 3}")).id for number in range(400)}
    for _ in range(4):
        workers.start(ledger_workers.claim_all, database_url)
    workers.join()

    claimed = workers.lines()

    assert len(claimed) == 400
    assert set(claimed) == submitted


def test_processes_that_write_together_leave_a_whole_file(sqlite_url: str, workers: Workers) -> None:
    ledger = Ledger(sqlite_url)
    submitted = {ledger.submit(request(str(number))).id for number in range(60)}
    for _ in range(4):
        workers.start(ledger_workers.work_until_all_have_ended, sqlite_url)
    workers.join()

    assert sorted(workers.lines()) == sorted(submitted)
    assert ledger.counts()[JobStatus.COMPLETED] == 60
    require_whole_file(ledger)
    ledger.close()


def test_the_job_of_a_killed_process_is_taken_over(database_url: str, opened: Ledger, workers: Workers) -> None:
    job = opened.submit(request())
    workers.start(ledger_workers.claim_and_hang, database_url)
    workers.wait_for(workers.journals[0])
    workers.running[0].kill()

    wait_until(lambda: bool(opened.reclaim()))
    claim = opened.claim("other")

    assert claim is not None
    assert (claim.job.id, claim.job.attempt) == (job.id, 2)


def test_a_process_that_wakes_up_too_late_publishes_nothing(
    database_url: str, opened: Ledger, workers: Workers
) -> None:
    job = opened.submit(request())
    workers.start(ledger_workers.publish_whenever_told, database_url)
    journal = workers.journals[0]
    workers.wait_for(journal)
    pid = workers.running[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)

    wait_until(lambda: bool(opened.reclaim()))
    claim = opened.claim("other")
    assert claim is not None
    assert opened.publish(claim.lease, "es", {"video": "other"}, {}) is True
    journal.with_suffix(".go").touch()
    os.kill(pid, signal.SIGCONT)
    workers.join()

    assert journal.read_text() == "lease lost"
    assert opened.outputs(job.id)[0].files == {"video": "other"}


def test_a_process_killed_in_the_middle_of_its_writes_leaves_a_whole_file(sqlite_url: str, workers: Workers) -> None:
    ledger = Ledger(sqlite_url)
    job = ledger.submit(request())
    for round_ in range(3):
        workers.start(ledger_workers.write_for_ever, sqlite_url)
        workers.wait_for(workers.journals[-1])
        before = len(ledger.parts(job.id, Stage.TRANSCRIPTION))
        wait_until(lambda before=before: len(ledger.parts(job.id, Stage.TRANSCRIPTION)) > before + 10)
        workers.running[-1].kill()
        workers.running[-1].join()

        require_whole_file(ledger)
        told = ledger.events(job.id, limit=10**6)
        assert [event.seq for event in told] == list(range(1, ledger.job(job.id).seq + 1))
        parts = ledger.parts(job.id, Stage.TRANSCRIPTION)
        stage = next(state for state in ledger.stages(job.id) if state.stage is Stage.TRANSCRIPTION)
        assert stage.done == sum(part.status is StageStatus.COMPLETED for part in parts)
        assert ledger.expire_owner(f"owner-{round_}") == {job.id}
    ledger.close()


def test_all_jobs_survive_a_server_that_restarts_again_and_again(
    postgresql_url: str, postgres: PostgresServer, workers: Workers
) -> None:
    ledger = Ledger(postgresql_url)
    submitted = {ledger.submit(request(str(number))).id for number in range(150)}
    for _ in range(3):
        workers.start(ledger_workers.work_until_all_have_ended, postgresql_url)

    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGQUIT, signal.SIGINT):
        done = ledger.counts()[JobStatus.COMPLETED]
        wait_until(lambda done=done: ledger.counts()[JobStatus.COMPLETED] > done + 10)
        postgres.restart(how)
    workers.join()

    assert ledger.counts()[JobStatus.COMPLETED] == 150
    assert sorted(workers.lines()) == sorted(submitted)
    assert {ledger.job(job_id).attempt for job_id in submitted} == {1}
    ledger.close()
