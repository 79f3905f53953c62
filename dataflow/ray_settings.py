"""Every setting of Ray and Ray Data that the flow depends on, each with its reason. A test asserts them."""

from typing import Any

from ray.data import ActorPoolStrategy, DataContext, TaskPoolStrategy

from cluster.placement import PoolPlan
from dataflow.pulse import Pulse

BLOCK_BYTES = 1
"""One row a block: with the default of 128 MiB an endless source never fills its first block and delivers nothing."""

TASK_RETRIES = 3
"""A row whose worker dies is delivered so often again. One more than the ledger allows a part to be begun without an
outcome, so that the last delivery finds the part given up and goes on without it, instead of Ray dropping the row."""

JOIN = PoolPlan(actors=1, rows=4)
"""The pool of each join. Its work is light, but an actor is warm, and a task would wait seconds for its process."""


def data_context() -> DataContext:
    """The execution settings of the flow; scoped to its own dataset, never set globally."""
    context = DataContext.get_current().copy()
    context.target_max_block_size = BLOCK_BYTES
    # An idle service and an hour-long decode are not stuck: the flow has a watchdog that knows the ledger.
    context.execution_no_progress_timeout_s = -1
    # A dropped row is found by the watchdog; ending the whole run for it would cost every other job.
    context.max_errored_blocks = -1
    context.execution_options.preserve_order = False
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.custom_execution_callback_classes = [Pulse]
    return context


def read_options(claimers: int) -> dict[str, Any]:
    """How the source runs: so many tasks for ever, holding no CPU."""
    return {
        "override_num_blocks": claimers,
        "compute": TaskPoolStrategy(size=claimers),
        "num_cpus": 0,
        # A replayed read would lose the items that Ray believes to have delivered; the supervisor restarts the flow.
        "ray_remote_args": {"max_retries": 0},
    }


def pool_options(pool: PoolPlan, in_hand: int | None = None) -> dict[str, Any]:
    """How one pool runs: warm actors, each with several rows in hand in threads of their own.

    Args:
        pool: The plan.
        in_hand: Rows that an actor takes before it has room to work on them, so that it decides which goes first.
    """
    return {
        "compute": ActorPoolStrategy(
            size=pool.actors,
            max_tasks_in_flight_per_actor=in_hand or pool.rows + 1,
            max_concurrent_calls_per_actor=in_hand or pool.rows,
            enable_true_multi_threading=True,
        ),
        "num_cpus": pool.cpus,
        "num_gpus": pool.gpus or None,
        # With no restarts a pool of dead actors would hang for ever; without a bound a poisonous row would come back
        # for ever.
        "max_restarts": -1,
        "max_task_retries": TASK_RETRIES,
    }


def consume_options() -> dict[str, Any]:
    """How the driver reads results: at once, without holding the newest one back."""
    return {"batch_size": None, "prefetch_batches": 0, "batch_format": "pyarrow"}
