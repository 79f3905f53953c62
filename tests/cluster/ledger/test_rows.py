"""A newer version may run beside this one during an upgrade, and write names that this one does not know."""

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from cluster.errors import ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Failure, Stage
from cluster.ledger.rows import storable
from cluster.ledger.tables import jobs, parts, processing_stages
from tests.fixtures.ledgers import claimed, let_leases_run_out, scene


@pytest.fixture
def opened(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger(database_url)
    yield ledger
    ledger.close()


def test_an_unknown_error_code_reads_as_internal(opened: Ledger) -> None:
    lease = claimed(opened)
    opened.fail(lease, Failure(ErrorCode.NO_AUDIO, "of the future", Stage.VALIDATION))
    newer = update(jobs).values(failure_code="solar_flare", failure_stage="telepathy")
    opened._database.write(lambda connection: connection.execute(newer))

    assert opened.job(lease.job_id).failure == Failure(ErrorCode.INTERNAL, "of the future", None)


def test_an_unknown_stage_is_left_alone(opened: Ledger) -> None:
    lease = claimed(opened)
    opened.finish(lease, scene(0), "key", seconds=1.0, failure=Failure(ErrorCode.STORAGE_FAILED, "away"))
    for table in (parts, processing_stages):
        opened._database.write(
            lambda connection, table=table: connection.execute(update(table).values(stage="telepathy"))
        )

    let_leases_run_out(opened)
    claim = opened.claim("worker")

    assert claim is not None
    opened.expect(claim.lease, Stage.TRANSCRIPTION, "", 1)
    assert opened.finish(claim.lease, scene(0), "key", seconds=1.0) is True
    assert {state.stage for state in opened.stages(lease.job_id)} == set(Stage)
    assert opened.job(lease.job_id).progress == 15.0


@pytest.mark.parametrize(
    ("text", "stored"),
    [("plain ü 😀\n", "plain ü 😀\n"), ("nul\0", "nul\N{REPLACEMENT CHARACTER}"), ("caf\udce9", "caf?")],
)
def test_text_is_made_fit_for_both_databases(text: str, stored: str) -> None:
    assert storable(text) == stored
