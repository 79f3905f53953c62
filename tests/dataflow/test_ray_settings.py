from ray.data import ActorPoolStrategy, DataContext, TaskPoolStrategy

from cluster.ledger.part_state import MAX_PART_ATTEMPTS
from cluster.placement import PoolPlan
from dataflow.ray_settings import (
    TASK_RETRIES,
    consume_options,
    data_context,
    pool_options,
    read_options,
)


def test_rows_flow_one_by_one_and_nothing_times_out_or_is_given_up_for_a_neighbour() -> None:
    context = data_context()
    assert context.target_max_block_size == 1
    assert context.execution_no_progress_timeout_s == -1
    assert context.max_errored_blocks == -1
    assert context.execution_options.preserve_order is False


def test_the_settings_are_the_flows_own() -> None:
    before = DataContext.get_current().target_max_block_size
    data_context()
    assert DataContext.get_current().target_max_block_size == before != 1


def test_a_broken_read_is_loud() -> None:
    options = read_options(3)
    assert options["ray_remote_args"] == {"max_retries": 0}
    assert options["override_num_blocks"] == 3
    assert options["num_cpus"] == 0
    assert options["compute"] == TaskPoolStrategy(size=3)


def test_pools_are_fixed_restart_for_ever_and_retry_with_a_bound() -> None:
    options = pool_options(PoolPlan(actors=3, rows=4, gpus=0.4))
    compute = options["compute"]
    assert isinstance(compute, ActorPoolStrategy)
    assert (compute.min_size, compute.max_size) == (3, 3)
    assert compute.max_concurrent_calls_per_actor == 4
    assert compute.max_tasks_in_flight_per_actor == 5
    assert compute.enable_true_multi_threading
    assert options["max_restarts"] == -1
    assert (options["num_cpus"], options["num_gpus"]) == (0, 0.4)
    assert pool_options(PoolPlan())["num_gpus"] is None


def test_the_delivery_after_the_last_crash_is_what_gives_a_part_up() -> None:
    deliveries = 1 + TASK_RETRIES
    assert deliveries == MAX_PART_ATTEMPTS + 1
    assert pool_options(PoolPlan())["max_task_retries"] == TASK_RETRIES


def test_results_are_not_held_back() -> None:
    assert consume_options()["prefetch_batches"] == 0
    assert consume_options()["batch_size"] is None
