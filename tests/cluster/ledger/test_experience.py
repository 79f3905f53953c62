import pytest
from sqlalchemy import update

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.experience import Estimator, Outlook
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import JobStatus, Lease, PartId, Priority, Stage
from cluster.ledger.tables import jobs, processing_stages
from tests.fixtures.ledgers import claimed, request


def do(ledger: Ledger, lease: Lease, *stages: Stage) -> None:
    for stage in stages:
        language = "es" if stage.per_language else ""
        ledger.expect(lease, stage, language, 1)
        ledger.begin(lease, PartId(stage, 0, language), "")
        ledger.finish(lease, PartId(stage, 0, language), "", seconds=1.0)


def set_length(ledger: Ledger, job_id: str, seconds: float) -> None:
    row = update(jobs).where(jobs.c.id == job_id).values(media_seconds=seconds)
    ledger._database.write(lambda connection: connection.execute(row))


def stretch(ledger: Ledger, job_id: str, stage: Stage, seconds: float) -> None:
    """Let a stage have ended so long after the job was begun."""
    mine = (processing_stages.c.job_id == job_id, processing_stages.c.stage == stage.value)
    began = ledger.timeline(job_id).spells[0].started_at
    row = update(processing_stages).where(*mine).values(finished_at=began + seconds)
    ledger._database.write(lambda connection: connection.execute(row))


def finished(ledger: Ledger, name: str, media: float, seconds: float) -> str:
    lease = claimed(ledger, name=name, options={"profile": "lite"})
    do(ledger, lease, *Stage)
    ledger.publish(lease, "es", {"video": "a"}, {})
    set_length(ledger, lease.job_id, media)
    stretch(ledger, lease.job_id, Stage.COMBINATION, seconds)
    return lease.job_id


def test_what_finished_jobs_took_is_remembered_newest_first(ledger: Ledger) -> None:
    finished(ledger, "a", 60.0, 30.0)
    finished(ledger, "b", 120.0, 90.0)
    ledger.submit(request("c"))

    past = ledger.finished_jobs()

    assert [(job.profile, job.media_seconds, job.languages) for job in past] == [("lite", 120.0, 1), ("lite", 60.0, 1)]
    assert [job.seconds for job in past] == [pytest.approx(90.0, abs=1.0), pytest.approx(30.0, abs=1.0)]
    assert past[0].ends[Stage.COMBINATION] == pytest.approx(90.0, abs=1.0)
    assert set(past[0].ends) == set(Stage)
    assert len(ledger.finished_jobs(limit=1)) == 1


def test_jobs_that_were_only_extended_say_nothing_about_whole_ones(ledger: Ledger) -> None:
    job_id = finished(ledger, "a", 60.0, 30.0)
    ledger.add_languages(job_id, ["fr"])
    claim = ledger.claim("worker")
    assert claim is not None
    ledger.publish(claim.lease, "fr", {"video": "a"}, {})
    assert ledger.job(job_id).status is JobStatus.COMPLETED

    assert ledger.finished_jobs() == ()


def test_a_standing_tells_the_place_in_the_queue(ledger: Ledger) -> None:
    lease = claimed(ledger, name="in work")
    bulk = ledger.submit(request("bulk", priority=Priority.BULK))
    first, second = ledger.submit(request("first")), ledger.submit(request("second"))

    found = {job.id: ledger.job_standing(job.id)[0] for job in (bulk, first, second)}

    assert [found[job.id].ahead for job in (first, second, bulk)] == [0, 1, 2]
    assert {standing.in_work for standing in found.values()} == {1}
    assert ledger.job_standing(lease.job_id)[0].status is JobStatus.PROCESSING


def test_a_job_is_told_its_completion_from_what_others_took(ledger: Ledger) -> None:
    estimator = Estimator(ledger)
    waiting = ledger.submit(request("waiting", options={"profile": "lite"}))
    assert estimator.outlook(waiting.id) == Outlook(None, 0)
    ledger.cancel(waiting.id)

    finished(ledger, "past", 60.0, 30.0)
    lease = claimed(ledger, name="now", options={"profile": "lite"})
    set_length(ledger, lease.job_id, 120.0)

    completion = Estimator(ledger).outlook(lease.job_id).completion

    _, now = ledger.job_standing(lease.job_id)
    assert completion is not None
    assert completion - now == pytest.approx(60.0, abs=1.0)
    assert estimator.outlook(lease.job_id).completion is None  # it still remembers that it knows nothing
    ledger.cancel(lease.job_id)
    assert Estimator(ledger).outlook(lease.job_id).completion is None


def test_an_unknown_job_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(DubflowError) as refused:
        Estimator(ledger).outlook("nobody")

    assert refused.value.code is ErrorCode.NOT_FOUND
