from dataclasses import replace
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.ledger.estimates import ALIKE, Finished, Standing, seconds_left
from cluster.ledger.records import JobStatus, Stage

SHARES = {stage: stage.percent / 100 for stage in Stage}
MOMENTS = st.floats(0.0, 1e6)

finished = st.builds(
    lambda profile, media, languages, seconds, shares: Finished(
        profile, media, languages, seconds, {stage: seconds * share for stage, share in shares.items()}
    ),
    st.sampled_from(["lite", "gpu"]),
    st.floats(0.1, 4e4),
    st.integers(1, 30),
    st.floats(0.1, 1e6),
    st.dictionaries(st.sampled_from(Stage), st.floats(0.0, 1.0)),
)
standings = st.builds(
    Standing,
    st.sampled_from(JobStatus),
    st.sampled_from(["lite", "gpu"]),
    st.floats(0.0, 100.0),
    MOMENTS,
    st.none() | st.floats(0.1, 4e4),
    st.integers(1, 30),
    st.none() | st.integers(0, 10_000),
    st.integers(0, 100),
)


def like(media: float, seconds: float, profile: str = "lite") -> Finished:
    return Finished(profile, media, 1, seconds, {stage: seconds * share for stage, share in SHARES.items()})


def at(progress: float, worked: float, media: float | None = 60.0) -> Standing:
    return Standing(JobStatus.PROCESSING, "lite", progress, worked, media, 1)


@given(standings, st.lists(finished, max_size=40))
def test_the_time_left_is_never_negative_and_only_told_where_something_is_known(
    standing: Standing, past: list[Finished]
) -> None:
    left = seconds_left(standing, past)

    if left is not None:
        assert isfinite(left)
        assert left >= 0.0
    if standing.status not in {JobStatus.UPLOADED, JobStatus.PROCESSING}:
        assert left is None
    if standing.status is JobStatus.UPLOADED and all(job.profile != standing.profile for job in past):
        assert left is None


@given(st.floats(0.0, 95.0), st.floats(1.0, 1e5), st.floats(0.1, 10.0))
def test_a_job_that_goes_as_jobs_usually_go_needs_what_is_left_of_their_time(
    progress: float, media: float, pace: float
) -> None:
    total = media * pace
    left = seconds_left(at(progress, total * progress / 100, media), [like(60.0, 60.0 * pace)] * 3)

    assert left == pytest.approx(total * (1 - progress / 100), rel=1e-6)


@given(st.floats(0.0, 95.0), MOMENTS, st.lists(st.floats(0.5, 2.0), min_size=3, max_size=ALIKE))
def test_one_job_that_hung_for_ever_changes_little(progress: float, worked: float, paces: list[float]) -> None:
    past = [like(60.0, 60.0 * pace) for pace in paces]

    left = seconds_left(at(progress, worked), [*past, like(60.0, 1e9)])

    highest = seconds_left(at(progress, worked), [like(60.0, 60.0 * max(paces))])
    assert left is not None
    assert highest is not None
    assert left <= highest * (1 + 1e-9)


@given(standings, st.lists(finished, min_size=1, max_size=20))
def test_on_a_machine_twice_as_slow_everything_takes_twice_as_long(standing: Standing, past: list[Finished]) -> None:
    slower = [
        replace(job, seconds=2 * job.seconds, ends={stage: 2 * end for stage, end in job.ends.items()}) for job in past
    ]

    left = seconds_left(standing, past)
    twice = seconds_left(replace(standing, worked_seconds=2 * standing.worked_seconds), slower)

    assert twice == (None if left is None else pytest.approx(2 * left))


def test_a_slower_job_is_believed_the_more_the_further_it_is() -> None:
    past = [like(60.0, 60.0)] * 5
    twice_as_slow = [seconds_left(at(progress, 120.0 * progress / 100), past) for progress in (10, 50, 90)]
    ratios = [left / (60.0 * (1 - p / 100)) for left, p in zip(twice_as_slow, (10, 50, 90), strict=True) if left]

    assert len(ratios) == 3
    assert 1.0 < ratios[0] < ratios[1] < ratios[2] < 2.0


def test_without_any_past_a_job_goes_by_its_own_pace_once_it_has_one() -> None:
    assert seconds_left(at(0.0, 30.0), []) is None
    assert seconds_left(at(1.0, 30.0), []) is None
    assert seconds_left(at(50.0, 30.0), []) == pytest.approx(30.0)


def test_jobs_of_the_same_length_and_profile_count() -> None:
    past = [like(10.0, 30.0)] * ALIKE + [like(3600.0, 1800.0)] * ALIKE + [like(10.0, 1.0, "gpu")] * ALIKE

    assert seconds_left(at(0.0, 0.0, 10.0), past) == pytest.approx(30.0)
    assert seconds_left(at(0.0, 0.0, 3600.0), past) == pytest.approx(1800.0)


def test_a_job_that_waits_takes_the_queue_into_account() -> None:
    past = [like(60.0, 40.0)] * 3
    waits = replace(at(0.0, 0.0), status=JobStatus.UPLOADED, ahead=6, in_work=2)

    assert seconds_left(waits, past) == pytest.approx(40.0 + 3 * 40.0)
    assert seconds_left(replace(waits, ahead=None), past) is None


def test_stages_are_weighed_by_the_time_they_usually_take() -> None:
    ends = dict.fromkeys(Stage, 10.0) | {Stage.ASSEMBLY: 20.0, Stage.COMBINATION: 100.0}
    past = [Finished("lite", 60.0, 1, 100.0, ends)] * 3

    assert seconds_left(at(75.0, 10.0), past) == pytest.approx(90.0)
