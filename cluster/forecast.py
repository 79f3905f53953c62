"""How fast a plan dubs, what holds it back and what it costs, from what its engines need."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cluster.errors import DubflowError, ErrorCode
from cluster.loads import GPUS, MEDIA, PUBLISHING, GpuKind, Load
from cluster.placement import Need, Placement, named, place

POOL_OF: Mapping[str, str] = {
    "speech_activity": "open",
    "separation": "separate",
    "diarization": "diarize",
    "voice_analysis": "diarize",
    "transcription": "transcribe",
    "translation": "translate",
    "speech": "synthesize",
}
PER_LANGUAGE = frozenset({"translation", "speech"})
HOST_SHARE = 1.0
"""Cores that an engine on a GPU keeps busy while it works."""
CELL_GPUS = 16
"""GPUs that one flow feeds well; more of them run more flows over the same ledger."""


@dataclass(frozen=True, slots=True)
class PoolCost:
    """What an hour of source costs one engine, in all target languages together."""

    pool: str
    engine: str
    gpu_seconds: float
    cpu_seconds: float
    memory_gb: float
    origin: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """What can be expected of a cluster.

    Attributes:
        costs: Of each engine.
        placements: Of each label of GPUs.
        rate: Hours of source that are dubbed in an hour, into all languages.
        bottleneck: A pool, or `processors`.
        cores: Processors that keep up with the GPUs.
    """

    costs: tuple[PoolCost, ...]
    placements: tuple[Placement, ...]
    rate: float
    bottleneck: str
    cores: float

    @property
    def measured(self) -> bool:
        """Whether no figure is an estimate."""
        return all(cost.origin for cost in self.costs)


def parse_gpus(text: str) -> tuple[tuple[GpuKind, int], ...]:
    """`8xH200,4xL4`: kinds and how many of each.

    Raises:
        DubflowError: `invalid_request`, with the kinds that are known.
    """
    return tuple(_parse_kind(part.strip()) for part in text.split(",") if part.strip())


def forecast(
    engines: Mapping[str, str],
    loads: Mapping[str, Load],
    gpus: Sequence[tuple[GpuKind, int]],
    languages: int,
    cpus: int | None = None,
) -> Forecast:
    """What can be expected.

    Args:
        engines: By capability.
        loads: By `capability.name`; an engine without one is taken for free, which the result shows.
        gpus: Kinds and numbers; none: everything runs on processors.
        languages: Target languages of each source.
        cpus: Processors of the whole cluster; None for as many as are needed.

    Raises:
        DubflowError: `invalid_request` where the engines do not fit into the GPUs.
    """
    costs = tuple(_costs(engines, loads, languages, gpus=bool(gpus)))
    needs = needs_of(engines, loads, languages) if gpus else ()
    placements = tuple(place(needs, kind, count) for kind, count in gpus) if needs else ()
    cpu_seconds = sum(cost.cpu_seconds for cost in costs) + MEDIA.cpu_seconds + PUBLISHING.cpu_seconds * languages
    rate = sum(placement.rate for placement in placements)
    most = cpus * 3600 / cpu_seconds if cpus else float("inf")
    if not placements:
        rate, bottleneck = most, max(costs, key=lambda cost: cost.cpu_seconds).pool
    elif most < rate:
        rate, bottleneck = most, "processors"
    else:
        bottleneck = max(placements, key=lambda one: one.rate).bottleneck
    return Forecast(costs, placements, rate, bottleneck, rate * cpu_seconds / 3600)


def needs_of(engines: Mapping[str, str], loads: Mapping[str, Load], languages: int) -> tuple[Need, ...]:
    """What the pools ask of GPUs; pools whose engines run on processors ask nothing.

    Args:
        engines: By capability.
        loads: By `capability.name`.
        languages: Target languages of each source.
    """
    costs = list(_costs(engines, loads, languages, gpus=True))
    pools = dict.fromkeys(cost.pool for cost in costs if cost.gpu_seconds)
    return tuple(
        Need(
            pool,
            sum(cost.memory_gb for cost in costs if cost.pool == pool),
            sum(cost.gpu_seconds for cost in costs if cost.pool == pool),
        )
        for pool in pools
    )


def _costs(engines: Mapping[str, str], loads: Mapping[str, Load], languages: int, *, gpus: bool) -> Iterator[PoolCost]:
    """Where a choice names several engines, the first does all the work; the others' memory is held all the same."""
    for capability, choice in engines.items():
        first, *others = named(choice)
        yield _cost(capability, first, loads, languages, gpus=gpus)
        for other in others:
            cost = _cost(capability, other, loads, languages, gpus=gpus)
            yield replace(cost, gpu_seconds=0.0, cpu_seconds=0.0)


def _cost(capability: str, name: str, loads: Mapping[str, Load], languages: int, *, gpus: bool) -> PoolCost:
    engine = f"{capability}.{name}"
    load = loads.get(engine, Load(0.0, 0.0, 0.0))
    times = languages if capability in PER_LANGUAGE else 1
    on_gpu = gpus and load.gpu_seconds > 0
    return PoolCost(
        pool=POOL_OF[capability],
        engine=engine,
        gpu_seconds=load.gpu_seconds * times if on_gpu else 0.0,
        cpu_seconds=(load.gpu_seconds * HOST_SHARE if on_gpu else load.cpu_seconds) * times,
        memory_gb=load.memory_gb if on_gpu else 0.0,
        origin=load.origin,
    )


def _parse_kind(text: str) -> tuple[GpuKind, int]:
    count, _, name = text.partition("x")
    kind = {known.lower(): gpu for known, gpu in GPUS.items()}.get(name.strip().lower())
    if not count.strip().isdecimal() or int(count) < 1 or kind is None:
        raise DubflowError(
            ErrorCode.INVALID_REQUEST, f"'{text}' names no GPUs; write 8xH200, with one of: {', '.join(GPUS)}"
        )
    return kind, int(count)
