import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import DubflowError
from cluster.loads import GPUS, GpuKind
from cluster.placement import MARGIN, Need, Placement, place, plan_on_cpus, plan_on_gpus

H200, L4 = GPUS["H200"], GPUS["L4"]
NEEDS = (Need("diarize", 4, 30), Need("transcribe", 6, 10), Need("translate", 20, 6), Need("synthesize", 8, 25))

a_need = st.builds(
    Need,
    st.sampled_from(["diarize", "transcribe", "translate", "synthesize", "separate"]),
    st.floats(0.5, 40),
    st.floats(0.1, 100),
)
some_needs = st.lists(a_need, min_size=1, max_size=5, unique_by=lambda need: need.pool)


def test_where_everything_fits_every_gpu_runs_everything() -> None:
    placed = place(NEEDS, H200, 8)
    assert (placed.groups, len(placed.shares), placed.idle) == (8, 1, 0)
    assert placed.rate == pytest.approx(8 * 3600 / 71)
    assert placed.hours_per_gpu_hour == pytest.approx(3600 / 71)
    assert placed.bottleneck == "diarize"


def test_what_works_more_has_more_of_the_gpu() -> None:
    (shares,) = place(NEEDS, H200, 1).shares
    assert shares["diarize"] > shares["transcribe"]


def test_small_gpus_share_the_pools_evenly() -> None:
    placed = place(NEEDS, L4, 5)
    assert (placed.groups, len(placed.shares), placed.idle) == (2, 2, 1)
    assert {frozenset(shares) for shares in placed.shares} == {
        frozenset({"translate"}),
        frozenset({"diarize", "transcribe", "synthesize"}),
    }


def test_too_little_memory_is_said_with_the_pool() -> None:
    with pytest.raises(DubflowError, match="translate needs 20 GB"):
        place(NEEDS, GPUS["T4"], 4)
    with pytest.raises(DubflowError, match="need 2 GPUs"):
        place(NEEDS, L4, 1)


@given(some_needs, st.integers(1, 40))
def test_no_gpu_is_promised_twice_and_every_pool_has_its_memory(needs: list[Need], count: int) -> None:
    gpu = GpuKind("any", 48, 1.0)
    try:
        placed = place(needs, gpu, count)
    except DubflowError:
        assert count < len(needs)
        return
    where = [pool for shares in placed.shares for pool in shares]
    assert sorted(where) == sorted(need.pool for need in needs)
    assert 0 <= placed.idle < len(placed.shares)
    memory = {need.pool: need.memory_gb for need in needs}
    for shares in placed.shares:
        assert sum(shares.values()) <= 1.0 + 1e-9
        assert all(share * gpu.memory_gb >= memory[pool] - 1e-9 for pool, share in shares.items())
        assert sum(memory[pool] for pool in shares) <= gpu.memory_gb * (1 - MARGIN)


@given(some_needs)
def test_no_other_arrangement_of_so_few_gpus_is_faster_than_all_in_one(needs: list[Need]) -> None:
    gpu = GpuKind("any", 1000, 1.0)
    assert place(needs, gpu, 1).rate == pytest.approx(3600 / sum(need.gpu_seconds for need in needs))


def test_pools_on_gpus_never_wait_for_a_core() -> None:
    placed = place(NEEDS, H200, 4)
    plan = plan_on_gpus("gpu", {}, 16, placed)
    for need in NEEDS:
        pool = plan.pool(need.pool)
        assert (pool.cpus, pool.actors) == (0.0, 4)
        assert pool.gpus == placed.shares[0][need.pool]
    assert plan.pool("open") == plan_on_cpus("gpu", {}, 16).pool("open")
    assert plan.pool("open").gpus == 0


def test_nothing_on_gpus_is_no_bottleneck() -> None:
    placed = Placement(H200, 2, 2, ({},), float("inf"), "none")
    assert plan_on_gpus("cpu", {}, 4, placed).pools == plan_on_cpus("cpu", {}, 4).pools
