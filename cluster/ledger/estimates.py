"""How long jobs still take, learned from those that have finished.

Two answers are mixed. Jobs like this one took so long for each second of media, and had spent such a share of it when
they were as far as this one is. And this job itself has needed so long to get where it is. The further it is, the more
its own pace counts. Medians over the most alike of the latest jobs make the odd job that hung for an hour of no
importance.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import log
from statistics import median

from cluster.ledger.records import JobStatus, Stage

ALIKE = 15
"""Of these, so many that are most like the job: short clips spend their time on other things than films do."""
_TOO_EARLY = 0.02
"""The first steps of a job say nothing about its pace."""
_ALMOST_DONE = 0.99
"""However far a job is, something is left of it until it is over."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A job of the past.

    Attributes:
        profile: The engines it was made with.
        media_seconds: Length of its source; positive.
        languages: How many it was dubbed into.
        seconds: From the beginning of its work to the end of it; positive.
        ends: Seconds from that beginning to the end of each stage, in its last language.
    """

    profile: str
    media_seconds: float
    languages: int
    seconds: float
    ends: Mapping[Stage, float]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a job stands.

    Attributes:
        status: A job that is waiting for a person, or is over, has no time left to tell.
        progress: 0 to 100.
        worked_seconds: Since its work began; 0 for one that waits.
        media_seconds: Length of its source; None while nobody knows it.
        ahead: Jobs that are claimed before it; None where they are too many to count.
        in_work: Jobs that are worked on at this moment.
    """

    status: JobStatus
    profile: str
    progress: float
    worked_seconds: float
    media_seconds: float | None
    languages: int
    ahead: int | None = 0
    in_work: int = 0


def seconds_left(standing: Standing, past: Sequence[Finished]) -> float | None:
    """Seconds until a job is over; None where there is nothing to tell by. Never negative."""
    alike = _alike(standing, past)
    if standing.status is JobStatus.UPLOADED:
        return _waiting(standing, alike)
    if standing.status is not JobStatus.PROCESSING:
        return None
    share = min(_share(standing.progress, alike), _ALMOST_DONE)
    own = standing.worked_seconds * (1 - share) / share if share > _TOO_EARLY else None
    usual = _total(standing, alike)
    if usual is None or own is None:
        return own if usual is None else usual * (1 - share)
    weight = share**2
    return usual * (1 - share) * (1 - weight) + own * weight


def _waiting(standing: Standing, alike: Sequence[Finished]) -> float | None:
    total = _total(standing, alike)
    if total is None or standing.ahead is None:
        return None
    typical = median(job.seconds for job in alike)
    return total + standing.ahead / max(1, standing.in_work) * typical


def _alike(standing: Standing, past: Sequence[Finished]) -> list[Finished]:
    known = [job for job in past if job.profile == standing.profile]
    return sorted(known, key=lambda job: _distance(standing, job))[:ALIKE]


def _distance(standing: Standing, job: Finished) -> float:
    """How unlike a job was: by the ratio of lengths, then by the number of languages."""
    length = 0.0 if not standing.media_seconds else abs(log(job.media_seconds / standing.media_seconds))
    return length + abs(log(job.languages / standing.languages))


def _total(standing: Standing, alike: Sequence[Finished]) -> float | None:
    if not alike:
        return None
    if not standing.media_seconds:
        return median(job.seconds for job in alike)
    return standing.media_seconds * median(job.seconds / job.media_seconds for job in alike)


def _share(progress: float, alike: Sequence[Finished]) -> float:
    """The share of its whole time that a job has spent when it is so far; as its progress says where none is known."""
    last = Stage.COMBINATION.percent
    reached = [0.0, *(float(stage.percent) for stage in Stage)]
    spent = [0.0, *accumulate((_usual_end(stage, alike) for stage in Stage), max)]
    if progress >= last:
        return spent[-1]
    above = max(1, bisect_left(reached, progress))
    below = above - 1
    within = (progress - reached[below]) / (reached[above] - reached[below])
    return spent[below] + within * (spent[above] - spent[below])


def _usual_end(stage: Stage, alike: Sequence[Finished]) -> float:
    ends = [min(1.0, job.ends[stage] / job.seconds) for job in alike if stage in job.ends]
    return median(ends) if ends else stage.percent / 100
