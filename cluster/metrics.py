"""What operators watch, in Ray's own export: every node has one, whatever the number of processes on it.

A process in which Ray is not loaded belongs to no cluster, and there is nobody to collect what it would count. Labels
are few and bounded: never tenants, jobs or anything else that grows with use; those are in the log and the ledger.

GPU-seconds per hour of media is a quotient of two of these, for any window of time:
`3600 * rate(ray_dubflow_gpu_seconds_total[1h]) / rate(ray_dubflow_media_seconds_total[1h])`.
"""

import sys
from collections.abc import Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from cluster.ledger.ledger import Ledger

if TYPE_CHECKING:
    from ray.util import metrics as ray_metrics

_SECONDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)


class _Metric:
    """Known to Ray from its first use on, and only where Ray is."""

    def __init__(self, name: str, description: str, *labels: str) -> None:
        self.name = f"dubflow_{name}"
        self.description = description
        self.labels = labels

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"


class Counter(_Metric):
    """Rises. Ray exports it as `ray_<name>_total`."""

    @cached_property
    def _ray(self) -> "ray_metrics.Counter":
        from ray.util.metrics import Counter as RayCounter  # noqa: PLC0415 - Ray is only imported where it runs

        return RayCounter(self.name, self.description, self.labels)

    def add(self, amount: float = 1.0, **labels: str) -> None:
        """Count something that has happened."""
        if _has_ray() and amount > 0:
            self._ray.inc(amount, labels)


class Gauge(_Metric):
    """Goes up and down. Ray exports it as `ray_<name>`."""

    @cached_property
    def _ray(self) -> "ray_metrics.Gauge":
        from ray.util.metrics import Gauge as RayGauge  # noqa: PLC0415 - Ray is only imported where it runs

        return RayGauge(self.name, self.description, self.labels)

    def set(self, value: float, **labels: str) -> None:
        """Tell how much there is now."""
        if _has_ray():
            self._ray.set(value, labels)


class Histogram(_Metric):
    """How often which values were seen. Ray exports it as `ray_<name>_bucket`, `_sum` and `_count`."""

    def __init__(self, name: str, description: str, *labels: str, boundaries: Sequence[float]) -> None:
        super().__init__(name, description, *labels)
        self.boundaries = boundaries

    @cached_property
    def _ray(self) -> "ray_metrics.Histogram":
        from ray.util.metrics import Histogram as RayHistogram  # noqa: PLC0415 - Ray is only imported where it runs

        return RayHistogram(self.name, self.description, list(self.boundaries), self.labels)

    def observe(self, value: float, **labels: str) -> None:
        """Note a value that was seen."""
        if _has_ray():
            self._ray.observe(value, labels)


def _has_ray() -> bool:
    return "ray" in sys.modules


@cache
def gpu_share() -> float:
    """How much of a GPU Ray has given to the actor that this process is."""
    if not _has_ray():
        return 0.0
    import ray  # noqa: PLC0415 - as above

    if not ray.is_initialized():
        return 0.0
    context: Any = ray.get_runtime_context()
    # A driver has no resources of its own, and is refused the question.
    return float(context.get_assigned_resources().get("GPU", 0.0)) if context.get_actor_id() else 0.0


JOBS = Gauge("jobs", "Jobs in the ledger", "status")
QUEUE_DEPTH = Gauge("queue_depth", "Jobs that wait", "priority")
QUEUE_AGE = Gauge("queue_age_seconds", "How long the oldest job has waited", "priority")
OUTPUTS = Counter("outputs", "Languages of jobs that have ended", "status", "language")
ERRORS = Counter("errors", "Failures of parts, languages, jobs and requests", "code", "where")
STAGE_SECONDS = Histogram("stage_seconds", "Running time of parts", "stage", boundaries=_SECONDS)
BATCH_FILL = Histogram("batch_fill", "Share of its budget that a batch has used", "capability", boundaries=_SHARES)
BATCH_SIZE = Histogram("batch_size", "Requests of a batch", "capability", boundaries=_SIZES)
ENGINE_SECONDS = Counter("engine_seconds", "Time in which engines were at work", "capability")
GPU_SECONDS = Counter("gpu_seconds", "The same, times the share of a GPU that each has", "capability")
MEDIA_SECONDS = Counter("media_seconds", "Length of the sources that were analysed")
UPLOAD_BYTES = Counter("upload_bytes", "Bytes of sources that came through the doors")
WATCHERS = Gauge("watchers", "Connections that watch jobs", "transport")


def queue_gauges(ledger: Ledger) -> None:
    """Tell how the queue stands; to be called every now and then, by one process of a cluster.

    Raises:
        DubflowError: `database_failed`.
    """
    for status, jobs in ledger.counts().items():
        JOBS.set(jobs, status=status.value)
    for waiting in ledger.queue_depth():
        QUEUE_DEPTH.set(waiting.jobs, priority=waiting.priority.name.lower())
        QUEUE_AGE.set(waiting.oldest_seconds, priority=waiting.priority.name.lower())
