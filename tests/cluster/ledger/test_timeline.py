import pytest

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Failure, PartId, Stage, StageStatus
from tests.fixtures.ledgers import claimed, request, scene


def test_a_timeline_has_stages_and_their_parts_in_order(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.expect(lease, Stage.TRANSCRIPTION, "", 2)
    ledger.begin(lease, scene(0), "key")
    ledger.finish(lease, scene(0), "key", seconds=1.5)
    ledger.begin(lease, scene(1), "key")
    ledger.finish(lease, scene(1), "key", seconds=2.5, failure=Failure(ErrorCode.ENGINE_FAILED, "deaf"))
    ledger.expect(lease, Stage.TRANSLATION, "es", 1)
    ledger.begin(lease, PartId(Stage.TRANSLATION, 0, "es"), "key")

    timeline = ledger.timeline(lease.job_id)

    assert timeline.job.id == lease.job_id
    spells = {(spell.stage, spell.index): spell for spell in timeline.spells}
    assert set(spells) == {
        *((Stage.TRANSCRIPTION, index) for index in (None, 0, 1)),
        *((Stage.TRANSLATION, index) for index in (None, 0)),
    }
    assert [spell.started_at for spell in timeline.spells] == sorted(spell.started_at for spell in timeline.spells)
    assert spells[Stage.TRANSCRIPTION, 0].seconds == 1.5
    assert spells[Stage.TRANSCRIPTION, 1].error == "engine_failed"
    assert spells[Stage.TRANSCRIPTION, None].status is StageStatus.COMPLETED
    assert spells[Stage.TRANSLATION, 0].status is StageStatus.RUNNING
    assert all(spell.seconds >= 0 for spell in timeline.spells)


def test_a_part_that_existed_already_took_no_time(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.finish(lease, scene(0), "key", seconds=0.0)

    (part,) = [spell for spell in ledger.timeline(lease.job_id).spells if spell.index == 0]

    assert (part.seconds, part.attempts) == (0.0, 0)


def test_a_job_that_nobody_has_begun_has_an_empty_timeline(ledger: Ledger) -> None:
    assert ledger.timeline(ledger.submit(request()).id).spells == ()


def test_an_unknown_job_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(DubflowError) as refused:
        ledger.timeline("nobody")

    assert refused.value.code is ErrorCode.NOT_FOUND
