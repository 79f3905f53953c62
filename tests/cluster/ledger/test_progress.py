import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.progress import progress
from cluster.ledger.records import Failure, PartId, Stage
from tests.fixtures.ledgers import claimed, scene

SHARES = st.floats(0.0, 1.0)


def test_progress_reaches_the_percentage_of_the_last_stage_that_is_over() -> None:
    shares: dict[tuple[Stage, str], float] = {}
    for stage in Stage:
        shares |= {(stage, language): 1.0 for language in (("es", "fr") if stage.per_language else ("",))}
        assert progress(shares, ("es", "fr"), ()) == pytest.approx(stage.percent)


def test_languages_count_by_their_mean_and_ended_ones_are_over() -> None:
    shares = {(Stage.TRANSLATION, "es"): 1.0, (Stage.TRANSLATION, "fr"): 0.5}

    assert progress(shares, ("es", "fr"), ()) == pytest.approx(7.5)
    assert progress({}, ("es", "fr"), ("es",)) == pytest.approx((95 - 40) / 2)


@given(st.fixed_dictionaries({(stage, ""): SHARES for stage in Stage if not stage.per_language}), SHARES)
def test_progress_stays_within_its_bounds_and_rises_with_every_share(
    shares: dict[tuple[Stage, str], float], more: float
) -> None:
    before = progress(shares, ("es",), ())
    for key, share in shares.items():
        after = progress(shares | {key: max(share, more)}, ("es",), ())
        assert 0.0 <= before <= after <= 95.0


def test_a_job_progresses_with_its_parts(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.finish(lease, scene(0), "key", seconds=1.0)
    assert ledger.job(lease.job_id).progress == 0.0

    ledger.expect(lease, Stage.TRANSCRIPTION, "", 3)
    assert ledger.job(lease.job_id).progress == 5.0
    ledger.finish(lease, scene(1), "key", seconds=1.0, failure=Failure(ErrorCode.ENGINE_FAILED, "no"))
    ledger.finish(lease, scene(2), "key", seconds=1.0)
    assert ledger.job(lease.job_id).progress == 15.0
    ledger.expect(lease, Stage.TRANSLATION, "es", 2)
    ledger.finish(lease, PartId(Stage.TRANSLATION, 0, "es"), "key", seconds=1.0)
    assert ledger.job(lease.job_id).progress == 20.0


def test_watchers_hear_of_whole_percents_not_of_every_part(ledger: Ledger) -> None:
    lease = claimed(ledger)
    before = ledger.job(lease.job_id).seq
    for index in range(40):
        ledger.finish(lease, scene(index), "key", seconds=1.0)
    unknown = ledger.events(lease.job_id, after=before)
    ledger.expect(lease, Stage.TRANSCRIPTION, "", 160)
    for index in range(40, 160):
        ledger.finish(lease, scene(index), "key", seconds=1.0)

    known = ledger.events(lease.job_id, after=before + len(unknown), limit=200)
    assert [event.data["done"] for event in unknown] == [1, 2, 4, 8, 16, 32]
    assert [event.data["percent"] for event in known] == list(range(25, 101))
    assert known[-1].data["done"] == 160
    assert ledger.job(lease.job_id).progress == 15.0


def test_the_progress_of_the_job_counts_parts_that_no_event_told_of(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.expect(lease, Stage.TRANSCRIPTION, "", 1000)
    for index in range(5):
        ledger.finish(lease, scene(index), "key", seconds=1.0)

    assert ledger.job(lease.job_id).progress == pytest.approx(15 * 5 / 1000, abs=0.01)


def test_progress_does_not_fall_when_work_turns_out_to_be_more(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.expect(lease, Stage.TRANSCRIPTION, "", 1)
    ledger.finish(lease, scene(0), "key", seconds=1.0)

    ledger.expect(lease, Stage.TRANSCRIPTION, "", 3)

    assert ledger.job(lease.job_id).progress == 15.0
    seen = [event.data["progress"] for event in ledger.events(lease.job_id) if "progress" in event.data]
    assert seen == sorted(seen)
