"""How far a job is, from 0 to 100, from how far its stages are."""

from collections.abc import Collection, Mapping

from sqlalchemy import select

from cluster.ledger.records import Stage, StageStatus
from cluster.ledger.tables import outputs, processing_stages
from cluster.ledger.transition import Transition


def progress(shares: Mapping[tuple[Stage, str], float], languages: Collection[str], ended: Collection[str]) -> float:
    """Progress of a job whose stages are each done by a share of 0 to 1.

    A stage spans from the percentage of the one before it to its own. Stages that run for each language count by the
    mean over languages, of which those with an ended output are over.
    """
    reached, before = 0.0, 0
    for stage in Stage:
        reached += (stage.percent - before) * _share(shares, stage, languages, ended)
        before = stage.percent
    return round(reached, 2)


def advance(transition: Transition, *, restart: bool = False) -> None:
    """Set a job's progress; within an attempt it never falls, `restart` begins another one."""
    reached = progress(_shares(transition), transition.languages, _ended(transition))
    transition.set(progress=reached if restart else max(reached, transition["progress"]))


def _share(
    shares: Mapping[tuple[Stage, str], float], stage: Stage, languages: Collection[str], ended: Collection[str]
) -> float:
    if not stage.per_language:
        return shares.get((stage, ""), 0.0)
    return sum(1.0 if tag in ended else shares.get((stage, tag), 0.0) for tag in languages) / len(languages)


def _shares(transition: Transition) -> dict[tuple[Stage, str], float]:
    known = select(processing_stages).where(processing_stages.c.job_id == transition.job_id)
    return {
        (Stage(row["stage"]), row["language"]): _over(row["expected"], row["done"] + row["failed"], row["closer"])
        for row in transition.connection.execute(known).mappings()
        if row["stage"] in set(Stage)
    }


def _over(expected: int | None, ended: int, closer: int | None) -> float:
    if closer is not None:
        return 1.0
    return ended / expected if expected else 0.0


def _ended(transition: Transition) -> frozenset[str]:
    found = select(outputs.c.language).where(
        outputs.c.job_id == transition.job_id,
        outputs.c.status.in_([status.value for status in StageStatus if status.terminal]),
    )
    return frozenset(transition.connection.scalars(found))
