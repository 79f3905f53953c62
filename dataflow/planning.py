import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from actors import registry
from actors.contracts.engine import Capability, ConcurrentEngine, EngineError
from actors.profiles import NONE, OPTIONAL, choose
from cluster.errors import DubflowError, ErrorCode
from cluster.forecast import needs_of, parse_gpus
from cluster.ledger.records import Stage
from cluster.loads import loads
from cluster.placement import Plan, named, place, plan_on_cpus, plan_on_gpus
from cluster.settings import Profile, Settings
from dataflow import engines
from dataflow.models import provide
from dataflow.parts import failure_of

BEST_FIRST = (Profile.CPU, Profile.LITE)
"""What `auto` chooses from; the last one needs no weights."""
MOST_ROWS = 64
"""Each row in hand has a thread of its actor."""


def make_plan(settings: Settings) -> Plan:
    """The engines and pools for these settings on this machine.

    Raises:
        DubflowError: `invalid_request` for a profile or engine that does not exist.
    """
    if settings.profile is not Profile.AUTO:
        return _plan(settings, settings.profile)
    plans = [_plan(settings, profile) for profile in BEST_FIRST]
    best = next((plan for plan in plans[:-1] if _could_work(plan, settings)), plans[-1])
    if _could_work(best, settings, optional=True):
        return best
    return _plan(_without_optional(settings), Profile(best.profile))


def engines_of(settings: Settings) -> dict[str, str]:
    """Engine by capability, as the settings want them; `auto` is what it stands for here and now.

    Raises:
        DubflowError: As `make_plan`.
    """
    return make_plan(settings).engines


def _plan(settings: Settings, profile: Profile) -> Plan:
    try:
        chosen = choose(profile.value, settings.engines, noncommercial=settings.allow_noncommercial)
        for capability, choice in chosen.items():
            for engine in named(choice) if capability is Capability.SPEECH else (choice,):
                registry.require(capability, engine)
    except EngineError as error:
        raise _as_ours(error) from error
    names = {capability.value: name for capability, name in chosen.items()}
    plan = _placed(profile.value, names, settings)
    return _keeping_busy(replace(plan, models=settings.models_folder, parameters=settings.engine_parameters))


def _keeping_busy(plan: Plan) -> Plan:
    """The same with as many passages in hand as its translator answers at once."""
    with suppress(EngineError):  # one that cannot be created says so when it is checked
        engine = engines.translator(plan)
        if isinstance(engine, ConcurrentEngine):
            pool = plan.pool("translate")
            rows = max(pool.rows, min(engine.at_once, MOST_ROWS))
            return replace(plan, pools={**plan.pools, "translate": replace(pool, rows=rows)})
    return plan


def _placed(profile: str, names: dict[str, str], settings: Settings) -> Plan:
    """On the GPUs of the settings, of which a flow has one kind, or on the processors."""
    kinds = parse_gpus(settings.gpus)
    if len(kinds) > 1:
        raise DubflowError(
            ErrorCode.INVALID_REQUEST, "one flow has GPUs of one kind; give each kind a cell of its own (DUBFLOW_CELL)"
        )
    needs = needs_of(names, loads(settings.engine_loads), 1) if kinds else ()
    if not needs:
        return plan_on_cpus(profile, names, cpu_count())
    ((kind, count),) = kinds
    return plan_on_gpus(profile, names, cpu_count(), place(needs, kind, count))


def _could_work(plan: Plan, settings: Settings, *, optional: bool = False) -> bool:
    try:
        check_engines(plan, settings, optional=optional)
    except DubflowError:
        return False
    return True


def _without_optional(settings: Settings) -> Settings:
    """The same, but for what nobody has asked for by name."""
    left_out = {capability.value: NONE for capability in OPTIONAL}
    return settings.model_copy(update={"engines": {**left_out, **settings.engines}})


def cpu_count() -> int:
    """The CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


def check_engines(plan: Plan, settings: Settings, *, optional: bool = False) -> None:
    """Make sure that every engine of a plan could work here, and may; also those that only some jobs need.

    Raises:
        DubflowError: `model_missing` or `model_load_failed`, with the command that helps, or `licence_refused`.
    """
    missing: dict[str, EngineError] = {}
    try:
        for engine in engines.all_of(plan, optional=optional):
            provide(engine.info, settings)
            try:
                engine.check()
            except EngineError as error:
                if error.code != ErrorCode.MODEL_MISSING:
                    raise
                missing[f"{engine.info.capability}.{engine.info.name}"] = error
        if missing:
            raise _all_missing(missing, plan.profile)
    except EngineError as error:
        raise _as_ours(error) from error


def _all_missing(missing: Mapping[str, EngineError], profile: str) -> EngineError:
    """One error for all engines that lack something, with one command that helps them all."""
    if len(missing) == 1:
        return next(iter(missing.values()))
    install = "" if profile == Profile.LITE else f"pip install 'dubflow[{profile}]' && "
    return EngineError(
        f"{', '.join(missing)} lack weights or packages (`dubflow doctor` tells which); "
        f"run: {install}dubflow models fetch --profile {profile}",
        code=ErrorCode.MODEL_MISSING,
    )


def _as_ours(error: EngineError) -> DubflowError:
    failure = failure_of(error, Stage.VALIDATION)
    return DubflowError(failure.code, failure.message)
