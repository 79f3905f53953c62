"""Which pools a flow runs, how many actors each, and what they may use."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from pathlib import Path

from cluster.errors import DubflowError, ErrorCode
from cluster.loads import GpuKind

POOLS = ("open", "separate", "diarize", "transcribe", "translate", "synthesize", "publish")
"""In the order in which a video meets them; `separate` only where the plan has an engine for it."""


def named(choice: str) -> tuple[str, ...]:
    """The engines that a choice names, the preferred one first: `kokoro,espeak` is two."""
    return tuple(dict.fromkeys(name.strip() for name in choice.split(",")))


MARGIN = 0.08
"""Of a GPU's memory, left to fragmentation and to neighbours that allocate at the same moment."""
_HUNDREDTHS = 100
GPU_ROWS: Mapping[str, int] = {"separate": 4, "diarize": 6, "transcribe": 6, "translate": 32, "synthesize": 8}
"""Rows that an actor on a GPU has in hand: enough to fill a batch while the next one gathers."""


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """One pool.

    Attributes:
        actors: How many processes.
        rows: Rows that one actor has in hand at a time; more than one hides the reading of inputs behind the model.
        cpus: Logical CPUs that Ray sets aside for each; 0 leaves sharing to the operating system.
        gpus: Fraction of a GPU for each.
        threads: CPU threads that an engine may keep busy.
    """

    actors: int = 1
    rows: int = 2
    cpus: float = 0.0
    gpus: float = 0.0
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """A flow's engines and pools.

    Attributes:
        profile: The named choice of engines.
        engines: Engine name by capability; of speech there may be several (`named`).
        pools: By the names in `POOLS`.
        models: Folder of the weights, the same on all nodes.
        parameters: What people chose for engines, by `capability.name`.
    """

    profile: str
    engines: dict[str, str]
    pools: dict[str, PoolPlan] = field(default_factory=dict)
    models: Path = Path("models")
    parameters: dict[str, dict[str, str]] = field(default_factory=dict)

    def pool(self, name: str) -> PoolPlan:
        """The plan of one pool."""
        return self.pools[name]


@dataclass(frozen=True, slots=True)
class Need:
    """What one pool asks of GPUs.

    Attributes:
        pool: Its name.
        memory_gb: That one actor needs.
        gpu_seconds: Of an H200, for an hour of source in all its languages.
    """

    pool: str
    memory_gb: float
    gpu_seconds: float


@dataclass(frozen=True, slots=True)
class Placement:
    """Where pools run on the GPUs of one label.

    Attributes:
        gpu: The kind.
        count: How many there are.
        groups: How often the arrangement is repeated.
        shares: For each GPU of one group, the fraction of it that each pool's actor has.
        rate: Hours of source that all of them dub in an hour.
        bottleneck: The pool that takes most of the GPU that is finished last.
    """

    gpu: GpuKind
    count: int
    groups: int
    shares: tuple[Mapping[str, float], ...]
    rate: float
    bottleneck: str

    @property
    def hours_per_gpu_hour(self) -> float:
        """Hours of source dubbed in an hour of one GPU, idle ones counted."""
        return self.rate / self.count

    @property
    def idle(self) -> int:
        """GPUs that no group is left for."""
        return self.count - self.groups * len(self.shares)


def place(needs: Sequence[Need], gpu: GpuKind, count: int) -> Placement:
    """Share GPUs of one kind between pools so that all pools keep pace.

    Pools on one GPU take turns, so together they dub as many hours as the sum of their seconds allows. Where all fit
    into the memory of one GPU, every GPU runs all of them: nothing then waits for a slower neighbour. Otherwise the
    pools are parted over as few GPUs as hold them, the parts as even as they can be, and that group is repeated.

    Args:
        needs: Of the pools that run on GPUs.
        gpu: Kind of all of them.
        count: How many.

    Raises:
        DubflowError: `invalid_request` where a pool, or all together, need more memory than there is.
    """
    usable = gpu.memory_gb * (1 - MARGIN)
    too_large = [need for need in needs if need.memory_gb > usable]
    if too_large:
        raise DubflowError(
            ErrorCode.INVALID_REQUEST,
            f"the pool {too_large[0].pool} needs {too_large[0].memory_gb:g} GB of a GPU and the {gpu.name} has "
            f"{usable:.0f} to give; choose a smaller model for it or larger GPUs",
        )
    for size in range(1, len(needs) + 1):
        fitting = [
            parts
            for parts in _partitions(list(needs), size)
            if all(sum(need.memory_gb for need in part) <= usable for part in parts)
        ]
        if fitting:
            return _placement(min(fitting, key=_slowest), gpu, count)
    raise AssertionError("a pool of its own on every GPU always fits")


def _placement(parts: Sequence[Sequence[Need]], gpu: GpuKind, count: int) -> Placement:
    if count < len(parts):
        raise DubflowError(
            ErrorCode.INVALID_REQUEST,
            f"these engines need {len(parts)} GPUs of the kind {gpu.name} together and there are {count}; choose "
            "smaller models or larger GPUs",
        )
    groups = count // len(parts)
    busiest = max(parts, key=lambda part: sum(need.gpu_seconds for need in part))
    seconds = sum(need.gpu_seconds for need in busiest)
    return Placement(
        gpu=gpu,
        count=count,
        groups=groups,
        shares=tuple(_shares(part, gpu) for part in parts),
        rate=groups * 3600 * gpu.speed / seconds if seconds else float("inf"),
        bottleneck=max(busiest, key=lambda need: need.gpu_seconds).pool,
    )


def _shares(part: Sequence[Need], gpu: GpuKind) -> Mapping[str, float]:
    """Hundredths of a GPU: first the memory that each needs, then the rest by how much each works; never over 1."""
    least = {need.pool: ceil(_HUNDREDTHS * need.memory_gb / gpu.memory_gb) for need in part}
    rest = floor(_HUNDREDTHS * (1 - MARGIN)) - sum(least.values())
    work = sum(need.gpu_seconds for need in part) or 1.0
    more = {need.pool: max(0, floor(rest * need.gpu_seconds / work)) for need in part}
    return {pool: (least[pool] + more[pool]) / _HUNDREDTHS for pool in least}


def _slowest(parts: Sequence[Sequence[Need]]) -> float:
    return max(sum(need.gpu_seconds for need in part) for part in parts)


def _partitions(needs: list[Need], size: int) -> Iterator[list[list[Need]]]:
    """All ways to part the pools into so many parts; there are few pools."""
    if not needs:
        if size == 0:
            yield []
        return
    first, rest = needs[0], needs[1:]
    for parts in _partitions(rest, size - 1) if size else ():
        yield [[first], *parts]
    for parts in _partitions(rest, size) if size else ():
        for i in range(len(parts)):
            yield [*parts[:i], [first, *parts[i]], *parts[i + 1 :]]


def plan_on_cpus(profile: str, engines: dict[str, str], cpus: int) -> Plan:
    """Pools for one machine without GPUs.

    Recognition costs by far the most, then encoding; every stage keeps at least one actor so that all overlap, and the
    operating system shares the cores between them.
    """
    pools = {
        "open": PoolPlan(actors=ceil(cpus / 8), rows=1),
        "diarize": PoolPlan(actors=ceil(cpus / 6)),
        "transcribe": PoolPlan(actors=max(1, cpus)),
        "translate": PoolPlan(actors=1),
        "synthesize": PoolPlan(actors=ceil(cpus / 8)),
        "publish": PoolPlan(actors=ceil(cpus / 3), rows=1),
    }
    if "separation" in engines:
        # One network on several cores needs the memory of one.
        pools["separate"] = PoolPlan(actors=ceil(cpus / 4), threads=min(cpus, 4))
    return Plan(profile, engines, pools)


def plan_on_gpus(profile: str, engines: dict[str, str], cpus: int, placement: Placement) -> Plan:
    """Pools for the GPUs of a placement; pools that need none share the CPUs as elsewhere.

    An actor on a GPU asks Ray for no CPU: a fraction of a GPU must never wait for a core.
    """
    plan = plan_on_cpus(profile, engines, cpus)
    shares = {pool: share for gpu in placement.shares for pool, share in gpu.items()}
    on_gpus = {
        pool: PoolPlan(actors=placement.groups, rows=GPU_ROWS.get(pool, 2), gpus=share, threads=2)
        for pool, share in shares.items()
    }
    return Plan(profile, engines, {**plan.pools, **on_gpus})
