from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from ray.data._internal.execution import streaming_executor_state
from ray.data._internal.execution.execution_callback import ExecutionCallback

if TYPE_CHECKING:
    from ray.data._internal.execution.streaming_executor import StreamingExecutor

CALM_SECONDS = streaming_executor_state.WAIT_FOR_TASK_COMPLETION_TIMEOUT_S
QUICK_SECONDS = 0.02
FEW_TASKS = 8


class Pulse(ExecutionCallback):
    """Feels every turn of the loop in which Ray Data hands rows on, and makes it turn quicker where that is waited for.

    A turn lasts until all running tasks have something new, or a tenth of a second. A row needs two turns from each
    operator to the next: for a short clip that is as long as all work on it. So the loop turns quicker while a few rows
    are on their way; many hide the waiting behind each other, and an idle flow has nobody who waits.

    Ray makes the object itself, from the class; the process runs one flow at a time.
    """

    _turned_at: ClassVar[float] = 0.0

    def on_execution_step(self, executor: "StreamingExecutor") -> None:
        """One turn."""
        Pulse._turned_at = monotonic()
        running = sum(op.num_active_tasks() for op in executor._topology or ())  # noqa: SLF001 - Ray shows it nowhere else
        quick = 1 < running <= FEW_TASKS  # the source is a task, too
        streaming_executor_state.WAIT_FOR_TASK_COMPLETION_TIMEOUT_S = QUICK_SECONDS if quick else CALM_SECONDS

    @classmethod
    def felt_within(cls, seconds: float) -> bool:
        """Whether the loop has turned lately."""
        return monotonic() - cls._turned_at < seconds
