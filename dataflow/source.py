import time
from collections.abc import Iterator

import pyarrow as pa
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from cluster.ledger.records import Claim, Priority
from dataflow.context import FlowContext
from dataflow.schema import JobRow

POLL_SECONDS = 0.2


class ClaimSource(Datasource):
    """The queue as a stream of claimed jobs.

    Args:
        context: Whose name jobs are claimed in, and of which batch.
        claimers: How many tasks claim.
        until_empty: End when every job of the batch is over; else go on until the flow is drained.
    """

    def __init__(self, context: FlowContext, *, claimers: int = 1, until_empty: bool = True) -> None:
        self.claimers = claimers
        self._context = context
        self._until_empty = until_empty

    def estimate_inmemory_data_size(self) -> int | None:
        """Unknown: the queue has no end."""
        return None

    def get_read_tasks(self, parallelism: int, *_args: object, **_options: object) -> list[ReadTask]:
        """One task a claimer."""
        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        context, until_empty = self._context, self._until_empty
        return [ReadTask(lambda: claims(context, until_empty=until_empty), unknown) for _ in range(parallelism)]


def claims(context: FlowContext, *, until_empty: bool) -> Iterator[pa.Table]:
    """Claim jobs as long as the flow has room for them, one row a block."""
    ledger = context.ledger
    while not ledger.draining(context.owner):
        claim = _claim(context)
        if claim:
            lease = claim.lease
            row = JobRow(job_id=lease.job_id, owner=lease.owner, fence=lease.fence)
            yield pa.Table.from_pylist([row.to_dict()], schema=JobRow.schema())
        elif until_empty and not context.jobs_open():
            return
        else:
            time.sleep(POLL_SECONDS)


def _claim(context: FlowContext) -> Claim | None:
    """The next job that the flow has room for; a part of the room is kept for interactive jobs."""
    ledger, settings = context.ledger, context.settings
    in_hand = ledger.in_hand(context.owner).total
    if in_hand < settings.jobs_in_flight:
        return ledger.claim(context.owner, context.batch or None)
    if in_hand < settings.jobs_in_flight + settings.interactive_reserve:
        return ledger.claim(context.owner, context.batch or None, at_least=Priority.INTERACTIVE)
    return None
