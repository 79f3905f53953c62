"""How many rows an endless flow has on their way, and how many of them an actor takes in hand.

Ray hands rows on in the order in which they come. So that what somebody waits for overtakes bulk work, no row may wait
outside of an actor: bulk rows are let in only as far as the actors can take all of them, with room to spare for others.
"""

from collections.abc import Sequence
from math import ceil

from cluster.placement import Plan
from cluster.settings import Settings

ANALYSIS = ("separate", "diarize", "transcribe")
SPEECH = ("translate", "synthesize")
PUBLISHED_AT_ONCE = 32
"""Languages that one actor takes in hand."""


def bulk_rows(plan: Plan, pools: Sequence[str]) -> int:
    """Rows of bulk jobs that keep those of some pools that the plan has busy: one waits behind each actor's own."""
    return sum(plan.pools[pool].actors * (plan.pools[pool].rows + 1) for pool in pools if pool in plan.pools)


def in_hand(plan: Plan, settings: Settings, pool: str) -> int:
    """Rows that an actor of a pool takes in hand, at work or in its lanes; joins are the pool of no name."""
    jobs = settings.jobs_in_flight + settings.interactive_reserve
    if pool == "publish":
        return PUBLISHED_AT_ONCE
    if pool in {"", "open"}:
        return jobs
    group = ANALYSIS if pool in ANALYSIS else SPEECH
    return ceil(bulk_rows(plan, group) / plan.pool(pool).actors) + settings.interactive_reserve
