from sqlalchemy import update

from cluster.ledger.clock import Now
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import InHand, Lease, Priority
from cluster.ledger.tables import flows
from tests.fixtures.ledgers import claimed


def test_a_flow_is_known_by_its_cell_until_it_ends(ledger: Ledger) -> None:
    ledger.flow_started("one", "north", "digest")
    ledger.flow_started("other", "south", "digest")
    ledger.flow_beats("one", 5 << 30)

    (flow,) = ledger.flows("north")
    assert (flow.owner, flow.configuration, flow.grown_bytes, flow.draining) == ("one", "digest", 5 << 30, None)
    ledger.flow_ended("one")
    assert ledger.flows("north") == ()
    assert [flow.owner for flow in ledger.flows("south")] == ["other"]


def test_silence_counts_from_the_last_beat(ledger: Ledger) -> None:
    ledger.flow_started("flow", "cell", "digest")
    ledger._database.write(
        lambda connection: connection.execute(update(flows).values(started_at=Now() - 90, beat_at=Now() - 50))
    )
    (silent,) = ledger.flows("cell")
    assert 89 < silent.age < 100
    assert 49 < silent.silent < 60
    ledger.flow_beats("flow", 0)
    (beating,) = ledger.flows("cell")
    assert beating.silent < 10
    assert beating.age > 89


def test_a_flow_drains_from_the_first_request_on(ledger: Ledger) -> None:
    ledger.flow_started("flow", "cell", "digest")
    assert not ledger.draining("flow")
    ledger.drain("flow")
    ledger._database.write(lambda connection: connection.execute(update(flows).values(drained_at=Now() - 70)))
    ledger.drain("flow")
    (flow,) = ledger.flows("cell")
    assert flow.draining is not None
    assert 69 < flow.draining < 80
    assert ledger.draining("flow")


def test_a_run_that_no_supervisor_knows_is_drained_as_well(ledger: Ledger) -> None:
    ledger.drain("run")
    assert ledger.draining("run")
    ledger.flow_ended("run")
    assert not ledger.draining("run")


def test_what_an_owner_holds_is_counted_by_priority(ledger: Ledger) -> None:
    assert ledger.in_hand("flow") == InHand(0, 0)
    for name, priority in (("a", Priority.BULK), ("b", Priority.BULK), ("c", Priority.INTERACTIVE)):
        claimed(ledger, "flow", name=name, priority=priority)
    claimed(ledger, "another", name="d")
    assert ledger.in_hand("flow") == InHand(interactive=1, bulk=2)
    assert ledger.in_hand("flow").total == 3


def test_leases_stand_until_their_job_is_cancelled_or_claimed_by_another(ledger: Ledger) -> None:
    cancelled, kept = (claimed(ledger, "flow", name=name) for name in "ab")
    older = Lease(kept.job_id, kept.owner, kept.fence - 1)
    assert ledger.standing([cancelled, kept, older]) == {cancelled, kept}
    ledger.cancel(cancelled.job_id)
    assert ledger.standing([cancelled, kept, older]) == {kept}
    assert ledger.standing([]) == frozenset()
