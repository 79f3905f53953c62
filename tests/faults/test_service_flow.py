"""The endless flow and its supervisors under everything that kills, stops or replaces them."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cluster.ledger.records import Job, JobStatus, Part, PartId, Priority, StageStatus
from cluster.ledger.schema import upgrade
from cluster.placement import plan_on_cpus
from dataflow.planning import cpu_count
from tests.fixtures import tones
from tests.fixtures.flow_services import FlowService, flow_service
from tests.fixtures.measured import Report
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.run_fixture import home_for_runs

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

POOLS = ("diarize", "transcribe", "translate", "synthesize")
CANCEL_SECONDS = 10.0


@pytest.fixture(scope="module")
def service(postgres: PostgresServer) -> Iterator[FlowService]:
    postgres.execute("CREATE DATABASE service")
    url = postgres.url("service")
    upgrade(url)
    with home_for_runs() as runs:
        runs.seconds = {"transcription": 0.3, "diarization": 0.05, "translation": 0.2, "speech": 0.02}
        runs.settings = {
            "DUBFLOW_DATABASE_URL": url,
            "DUBFLOW_MAX_SCENE_SECONDS": "5",
            "DUBFLOW_HEARTBEAT_SECONDS": "1",
            "DUBFLOW_LEASE_SECONDS": "30",
            "DUBFLOW_JOBS_IN_FLIGHT": "3",
        }
        with flow_service(runs) as running:
            yield running


@pytest.fixture(autouse=True)
def supervised(service: FlowService) -> Iterator[None]:
    service.supervise()
    service.flow()
    yield
    service.stop_supervisors()


def video(service: FlowService, name: str, seconds: float, seed: int) -> Path:
    """Videos of other seeds have speech at other times, so that each engine call tells whose it is."""
    return tones.video(service.runs.folder / f"{name}.mp4", seconds, seed, lead=0.5 + seed / 100)


def bulk(service: FlowService, name: str, seconds: float, seed: int) -> Job:
    return service.submit(video(service, name, seconds, seed), priority=Priority.BULK)


def parts(service: FlowService, job: Job) -> list[Part]:
    return [
        part
        for state in service.ledger.stages(job.id)
        for part in service.ledger.parts(job.id, state.stage, state.language)
    ]


def transcriptions(service: FlowService) -> int:
    return sum(capability == "transcription" for capability, *_ in service.runs.spans())


def wait_for_transcriptions(service: FlowService, more: int) -> None:
    before = transcriptions(service)
    service.runs.wait_for(lambda: transcriptions(service) >= before + more)


def test_a_job_is_done_metered_and_the_languages_are_known(service: FlowService) -> None:
    job = service.submit(video(service, "first", 8, 1), tenant="acme")
    (done,) = service.wait_for(job)
    assert done.status is JobStatus.COMPLETED
    assert done.media_seconds == pytest.approx(8, abs=0.2)
    assert {language.code for language in service.ledger.languages() if language.target} == {"es", "ca", "gl"}
    assert {language.code for language in service.ledger.languages() if language.source} == {"en"}
    assert (service.runs.out / "first.es.mp4").exists()


def test_what_somebody_waits_for_overtakes_bulk_work_that_fills_the_flow(service: FlowService, report: Report) -> None:
    started = time.monotonic()
    service.wait_for(service.submit(video(service, "alone", 8, 2)))
    alone = time.monotonic() - started

    backlog = [bulk(service, f"bulk{i}", 600, 10 + i) for i in range(4)]
    scenes_of_each = 600 // 5
    wait_for_transcriptions(service, 4)
    before = transcriptions(service)
    started = time.monotonic()
    (urgent,) = service.wait_for(service.submit(video(service, "urgent", 8, 3)))
    took = time.monotonic() - started
    overtaken = transcriptions(service) - before
    report(f"alone {alone:.1f} s, through bulk work {took:.1f} s, {overtaken} scenes were transcribed meanwhile")
    assert urgent.status is JobStatus.COMPLETED
    # Behind the bulk jobs that were in hand already it would have waited for all scenes of at least one of them.
    assert overtaken < scenes_of_each
    for job in backlog:
        service.ledger.cancel(job.id)
    assert {job.status for job in service.wait_for(*backlog)} == {JobStatus.CANCELLED}


def test_a_cancelled_job_frees_its_decoder_and_its_place_and_harms_no_neighbour(service: FlowService) -> None:
    long = video(service, "long", 100, 20)
    neighbour = video(service, "neighbour", 20, 21)
    film = tones.video(service.runs.folder / "film.mp4", 2400, 22, picture=False)
    cancelled, kept = service.submit(long), service.submit(neighbour)
    wait_for_transcriptions(service, 2)
    decoding = service.submit(film, priority=Priority.BULK)
    service.runs.wait_for(lambda: bool(service.media_children(film)))
    calls = service.runs.calls()

    for job in (cancelled, decoding):
        service.ledger.cancel(job.id)
    moment = time.time()
    service.runs.wait_for(lambda: not service.media_children(film), CANCEL_SECONDS)
    assert service.ledger.in_hand(next(iter(service.ledger.owners() or {""}))).total <= 1

    (done,) = service.wait_for(kept)
    assert done.status is JobStatus.COMPLETED
    assert all(part.failure is None for part in parts(service, kept))
    time.sleep(max(0.0, moment + CANCEL_SECONDS - time.time()))
    added = service.runs.calls() - calls
    late = [
        name
        for capability, name, _, begun, _ in service.runs.spans()
        if begun > moment + CANCEL_SECONDS and capability == "transcription"
    ]
    assert late == []
    assert max(added.values()) == 1
    for job in (cancelled, decoding):
        assert service.ledger.job(job.id).status is JobStatus.CANCELLED
        assert all(part.status is not StageStatus.RUNNING for part in parts(service, job))


def test_a_killed_flow_is_started_again_and_does_nothing_twice(service: FlowService) -> None:
    called = service.runs.calls()
    jobs = [service.submit(video(service, f"k{i}", 25, 30 + i)) for i in range(3)]
    wait_for_transcriptions(service, 3)
    first = service.flow()
    owner = service.ledger.flows("main")[-1].owner
    first.kill()
    finished = {
        one: part.attempts for one, part in made_by(service, jobs).items() if part.status is StageStatus.COMPLETED
    }
    assert {job.status for job in service.wait_for(*jobs)} == {JobStatus.COMPLETED}
    assert service.ledger.flows("main")[-1].owner != owner
    assert service.flow().pid != first.pid

    made = {one: part.attempts for one, part in made_by(service, jobs).items()}
    assert finished
    assert {one: made[one] for one in finished} == finished
    # Only what was in hand when the flow died is begun again, and no engine is asked again but for that.
    again = sum(attempts - 1 for attempts in made.values())
    assert again <= in_hand_at_once()
    calls = {call: count for call, count in (service.runs.calls() - called).items() if call[0] != "speech"}
    assert sum(calls.values()) - len(calls) <= again


def made_by(service: FlowService, jobs: list[Job]) -> dict[tuple[str, PartId], Part]:
    """Parts that leave an artefact; a new claim also looks again at the source itself, which leaves none."""
    return {(job.id, part.id): part for job in jobs for part in parts(service, job) if part.key}


def in_hand_at_once() -> int:
    """Parts that the pools of the service's plan may be working on at a moment."""
    pools = [plan_on_cpus("lite", {}, cpu_count()).pool(name) for name in POOLS]
    return sum(pool.actors * pool.rows for pool in pools)


def test_a_killed_model_actor_costs_nothing(service: FlowService) -> None:
    jobs = [service.submit(video(service, f"m{i}", 25, 40 + i)) for i in range(2)]
    wait_for_transcriptions(service, 2)
    owner = service.ledger.flows("main")[-1].owner
    service.actors("Transcribe")[0].kill()
    done = service.wait_for(*jobs)
    assert [(job.status, job.attempt, job.failure) for job in done] == [(JobStatus.COMPLETED, 1, None)] * 2
    assert service.ledger.flows("main")[-1].owner == owner


def test_a_flow_goes_on_without_its_supervisor_and_the_next_one_finds_it(service: FlowService) -> None:
    flow = service.flow()
    job = service.submit(video(service, "orphan", 25, 50))
    (supervisor,) = service._supervisors
    supervisor.kill()
    supervisor.wait()
    assert service.wait_for(job)[0].status is JobStatus.COMPLETED
    service.supervise()
    service.supervise()
    another = service.submit(video(service, "found", 10, 51))
    assert service.wait_for(another)[0].status is JobStatus.COMPLETED
    assert service.flow().pid == flow.pid
    assert len(service.ledger.flows("main")) == 1


def test_a_flow_that_is_told_to_stop_hands_its_jobs_back_uncounted(service: FlowService) -> None:
    jobs = [service.submit(video(service, f"s{i}", 40, 60 + i)) for i in range(2)]
    wait_for_transcriptions(service, 2)
    first = service.flow()
    first.send_signal(signal.SIGTERM)
    first.wait(120)
    done = service.wait_for(*jobs)
    assert [(job.status, job.attempt, job.failure) for job in done] == [(JobStatus.COMPLETED, 1, None)] * 2
    assert service.flow().pid != first.pid


def test_a_database_that_restarts_under_load_costs_nothing(service: FlowService, postgres: PostgresServer) -> None:
    jobs = [service.submit(video(service, f"d{i}", 25, 80 + i)) for i in range(3)]
    for _ in range(2):
        wait_for_transcriptions(service, 2)
        postgres.restart()
    done = service.wait_for(*jobs)
    assert {job.status for job in done} == {JobStatus.COMPLETED}
    assert {job.attempt for job in done} == {1}


def test_a_flow_that_hangs_is_ended_and_started_again(service: FlowService) -> None:
    job = service.submit(video(service, "hangs", 25, 90))
    service.runs.wait_for(lambda: bool(service.ledger.owners()))
    first = service.flow()
    first.suspend()
    (done,) = service.wait_for(job)
    assert done.status is JobStatus.COMPLETED
    assert not psutil.pid_exists(first.pid) or first.status() == psutil.STATUS_ZOMBIE


def test_another_configuration_replaces_the_flow_in_the_middle_of_work(service: FlowService) -> None:
    job = service.submit(video(service, "replaced", 40, 70))
    wait_for_transcriptions(service, 1)
    before = service.ledger.flows("main")[-1]
    service.stop_supervisors()
    service.supervise(DUBFLOW_STALL_SECONDS="901")
    (done,) = service.wait_for(job)
    assert (done.status, done.attempt) == (JobStatus.COMPLETED, 1)
    # Between the end of one flow and the start of the next there is none.
    service.runs.wait_for(lambda: {flow.owner for flow in service.ledger.flows("main")} not in (set(), {before.owner}))
    assert service.ledger.flows("main")[-1].configuration != before.configuration
