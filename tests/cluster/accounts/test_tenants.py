import pytest

from cluster.accounts.accounts import Accounts
from cluster.accounts.records import Tenant
from cluster.errors import DubflowError, ErrorCode


def test_settings_of_a_tenant_stay_until_they_are_changed(accounts: Accounts) -> None:
    accounts.set_tenant("acme", source_prefixes=["s3://videos/acme"], limits={"concurrent_jobs": 2})
    accounts.set_tenant("acme", limits={"requests_per_minute": 5})
    accounts.set_tenant("zeta")

    changed = accounts.tenant("acme")

    assert changed == Tenant("acme", ("s3://videos/acme/",), {"concurrent_jobs": 2, "requests_per_minute": 5})
    assert accounts.tenants() == (changed, Tenant("zeta", (), {}))


def test_a_limit_can_be_given_back_and_prefixes_be_taken_away(accounts: Accounts) -> None:
    accounts.set_tenant("acme", source_prefixes=["s3://videos"], limits={"concurrent_jobs": 2})

    assert accounts.set_tenant("acme", source_prefixes=[], limits={"concurrent_jobs": None}) == Tenant("acme", (), {})


def test_only_its_own_tenant_reads_under_a_prefix(accounts: Accounts) -> None:
    accounts.set_tenant("acme", source_prefixes=["s3://videos/acme"])

    assert accounts.may_read("acme", "s3://videos/acme/talk.mp4")
    assert not accounts.may_read("acme", "s3://videos/zeta/talk.mp4")
    assert not accounts.may_read("zeta", "s3://videos/acme/talk.mp4")


@pytest.mark.parametrize(
    "wrong",
    [
        {"limits": {"nonsense": 1}},
        {"limits": {"concurrent_jobs": -1}},
        {"limits": {"concurrent_jobs": 1.5}},
        {"limits": {"concurrent_jobs": "many"}},
        {"limits": {"media_minutes_per_day": float("nan")}},
        {"limits": {"media_minutes_per_day": float("inf")}},
        {"source_prefixes": ["file:///etc"]},
        {"tenant": "a/b"},
    ],
)
def test_settings_that_make_no_sense_are_refused(accounts: Accounts, wrong: dict[str, object]) -> None:
    with pytest.raises(DubflowError) as refused:
        accounts.set_tenant(**({"tenant": "acme"} | wrong))

    assert refused.value.code is ErrorCode.INVALID_REQUEST
    assert accounts.tenants() == ()
