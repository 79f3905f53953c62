import pytest
from sqlalchemy import select

from cluster.errors import LeaseLostError
from cluster.ledger.ledger import Ledger
from cluster.ledger.tables import usage
from tests.fixtures.ledgers import claimed


def charged(ledger: Ledger) -> dict[str, float]:
    """Seconds by tenant, over all days."""
    found: dict[str, float] = {}
    for row in ledger._database.read(lambda connection: connection.execute(select(usage)).all()):
        found[row.tenant] = found.get(row.tenant, 0.0) + row.media_seconds
    return found


def test_a_tenant_is_charged_once_for_each_of_its_jobs(ledger: Ledger) -> None:
    first, second = (claimed(ledger, name=name, tenant="acme") for name in "ab")
    other = claimed(ledger, name="c", tenant="else")
    for lease, seconds in ((first, 60.0), (second, 30.5), (first, 60.0), (other, 7.0)):
        ledger.record_media_seconds(lease, seconds)

    assert charged(ledger) == {"acme": 90.5, "else": 7.0}
    assert ledger.job(first.job_id).media_seconds == 60.0


def test_another_attempt_is_not_charged_again(ledger: Ledger) -> None:
    lease = claimed(ledger, tenant="acme")
    ledger.record_media_seconds(lease, 60.0)
    ledger.hand_back(lease)
    again = ledger.claim("worker")
    assert again is not None
    ledger.record_media_seconds(again.lease, 60.0)
    assert charged(ledger) == {"acme": 60.0}


def test_who_has_lost_the_job_charges_nobody(ledger: Ledger) -> None:
    lease = claimed(ledger, tenant="acme")
    ledger.cancel(lease.job_id)
    with pytest.raises(LeaseLostError):
        ledger.record_media_seconds(lease, 60.0)
    assert charged(ledger) == {}
