import pickle

import pytest

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.parts import PartExhaustedError
from cluster.ledger.records import Failure, Lease, PartId, Stage, StageState, StageStatus
from tests.fixtures.ledgers import claimed, let_leases_run_out, scene

DEAF = Failure(ErrorCode.ENGINE_FAILED, "the model said nothing", Stage.TRANSCRIPTION)
AWAY = Failure(ErrorCode.STORAGE_FAILED, "the bucket did not answer")


def finish(ledger: Ledger, lease: Lease, index: int, key: str = "key", failure: Failure | None = None) -> bool:
    return ledger.finish(lease, scene(index), key, seconds=1.0, failure=failure)


def expect(ledger: Ledger, lease: Lease, count: int) -> bool:
    return ledger.expect(lease, Stage.TRANSCRIPTION, "", count)


def transcription(ledger: Ledger, lease: Lease) -> StageState:
    return next(state for state in ledger.stages(lease.job_id) if state.stage is Stage.TRANSCRIPTION)


def next_attempt(ledger: Ledger) -> Lease:
    let_leases_run_out(ledger)
    claim = ledger.claim("next")
    assert claim is not None
    return claim.lease


def test_the_part_that_ends_last_closes_the_set(ledger: Ledger) -> None:
    lease = claimed(ledger)
    expect(ledger, lease, 3)

    assert [finish(ledger, lease, index) for index in (2, 0, 1)] == [False, False, True]


def test_everybody_gets_the_same_answer_again(ledger: Ledger) -> None:
    lease = claimed(ledger)
    expect(ledger, lease, 3)
    for index in (2, 0, 1):
        finish(ledger, lease, index)
    events = ledger.events(lease.job_id)

    assert [finish(ledger, lease, index) for index in (0, 1, 2)] == [False, True, False]
    assert expect(ledger, lease, 3) is True
    assert ledger.events(lease.job_id) == events


def test_the_closer_stays_the_closer_in_a_later_attempt(ledger: Ledger) -> None:
    first = claimed(ledger)
    expect(ledger, first, 3)
    for index in (2, 0):
        finish(ledger, first, index)
    finish(ledger, first, 1, failure=DEAF)

    lease = next_attempt(ledger)

    assert finish(ledger, lease, 0) is False
    assert finish(ledger, lease, 1, failure=DEAF) is True
    assert expect(ledger, lease, 3) is True
    assert finish(ledger, lease, 2) is False


def test_a_later_attempt_closes_what_an_earlier_one_left_open(ledger: Ledger) -> None:
    first = claimed(ledger)
    expect(ledger, first, 3)
    finish(ledger, first, 0)

    lease = next_attempt(ledger)

    assert [finish(ledger, lease, index) for index in (0, 1, 2)] == [False, False, True]


def test_nothing_closes_while_the_number_of_parts_is_unknown(ledger: Ledger) -> None:
    lease = claimed(ledger)

    assert [finish(ledger, lease, index) for index in (0, 1)] == [False, False]
    assert expect(ledger, lease, 3) is False
    assert finish(ledger, lease, 2) is True


def test_a_number_that_comes_too_late_makes_the_last_part_the_closer(ledger: Ledger) -> None:
    lease = claimed(ledger)
    for index in (1, 0):
        finish(ledger, lease, index)

    assert expect(ledger, lease, 2) is True
    assert [finish(ledger, lease, index) for index in (0, 1)] == [False, True]


def test_a_set_without_parts_is_closed_at_once(ledger: Ledger) -> None:
    lease = claimed(ledger)

    assert expect(ledger, lease, 0) is True
    state = transcription(ledger, lease)
    assert (state.status, state.expected) == (StageStatus.COMPLETED, 0)
    assert state.finished_at is not None


def test_failed_parts_are_over_too(ledger: Ledger) -> None:
    lease = claimed(ledger)
    expect(ledger, lease, 2)

    assert finish(ledger, lease, 0, failure=DEAF) is False
    assert finish(ledger, lease, 1) is True
    state = transcription(ledger, lease)
    assert (state.status, state.done, state.failed) == (StageStatus.COMPLETED, 1, 1)


def test_a_stage_fails_only_if_all_its_parts_do(ledger: Ledger) -> None:
    lease = claimed(ledger)
    expect(ledger, lease, 2)
    finish(ledger, lease, 0, failure=DEAF)
    finish(ledger, lease, 1, failure=DEAF)

    assert transcription(ledger, lease).status is StageStatus.FAILED


def test_a_stage_tells_how_far_it_is_and_how_long_it_took(ledger: Ledger) -> None:
    lease = claimed(ledger)
    assert transcription(ledger, lease) == StageState(Stage.TRANSCRIPTION, "", StageStatus.PENDING, None, 0, 0, 0.0)
    expect(ledger, lease, 2)
    assert transcription(ledger, lease).status is StageStatus.PENDING
    ledger.begin(lease, scene(0), "key")
    running = transcription(ledger, lease)
    assert (running.status, running.finished_at) == (StageStatus.RUNNING, None)
    ledger.finish(lease, scene(0), "key", seconds=2.5)
    ledger.finish(lease, scene(1), "key", seconds=0.5)

    state = transcription(ledger, lease)

    assert (state.status, state.expected, state.done, state.seconds) == (StageStatus.COMPLETED, 2, 2, 3.0)
    assert state.started_at is not None
    assert state.finished_at is not None
    assert state.started_at <= state.finished_at


def test_a_repetition_does_not_wipe_out_the_time_the_work_took(ledger: Ledger) -> None:
    lease = claimed(ledger)
    ledger.finish(lease, scene(0), "key", seconds=2.5)
    ledger.finish(lease, scene(0), "key", seconds=0.0)

    assert transcription(ledger, lease).seconds == 2.5


def test_success_wins_over_failure_and_never_the_other_way_round(ledger: Ledger) -> None:
    lease = claimed(ledger)
    expect(ledger, lease, 2)
    finish(ledger, lease, 0)
    finish(ledger, lease, 1, failure=DEAF)

    assert finish(ledger, lease, 0, failure=DEAF) is False
    assert finish(ledger, lease, 1) is True
    assert [part.status for part in ledger.parts(lease.job_id, Stage.TRANSCRIPTION)] == [StageStatus.COMPLETED] * 2


def test_languages_have_sets_of_their_own(ledger: Ledger) -> None:
    lease = claimed(ledger, target_languages=("es", "fr"))
    for language in ("es", "fr"):
        ledger.expect(lease, Stage.TRANSLATION, language, 1)

    spanish, french = (PartId(Stage.TRANSLATION, 0, language) for language in ("es", "fr"))

    assert ledger.finish(lease, spanish, "key", seconds=1.0) is True
    assert ledger.parts(lease.job_id, Stage.TRANSLATION, "fr") == ()
    assert ledger.finish(lease, french, "key", seconds=1.0) is True


@pytest.mark.parametrize(
    "part", [PartId(Stage.TRANSLATION, 0), PartId(Stage.TRANSCRIPTION, 0, "es"), PartId(Stage.TRANSLATION, 0, "fr")]
)
def test_parts_must_have_a_language_of_the_job_where_their_stage_has(ledger: Ledger, part: PartId) -> None:
    lease = claimed(ledger)

    with pytest.raises(DubflowError) as refused:
        ledger.begin(lease, part, "key")

    assert refused.value.code is ErrorCode.INVALID_REQUEST


def test_another_key_is_other_work_and_reopens_the_set(ledger: Ledger) -> None:
    lease = claimed(ledger)
    expect(ledger, lease, 2)
    ledger.begin(lease, scene(0), "old")
    finish(ledger, lease, 0, "old")
    finish(ledger, lease, 1, "old")

    assert ledger.begin(lease, scene(0), "new") == 1
    assert transcription(ledger, lease).status is StageStatus.RUNNING
    assert finish(ledger, lease, 1, "old") is False
    assert finish(ledger, lease, 0, "new") is True
    assert finish(ledger, lease, 1, "old") is False


def test_new_work_is_not_closed_by_what_an_earlier_attempt_left(ledger: Ledger) -> None:
    first = claimed(ledger)
    expect(ledger, first, 3)
    for index in range(3):
        finish(ledger, first, index, "old")

    lease = next_attempt(ledger)
    ledger.begin(lease, scene(0), "new")
    expect(ledger, lease, 3)

    assert finish(ledger, lease, 0, "new") is False
    assert finish(ledger, lease, 1, "new") is False
    assert finish(ledger, lease, 2, "old") is True


def test_new_work_is_not_closed_by_the_plan_of_an_earlier_attempt(ledger: Ledger) -> None:
    first = claimed(ledger)
    expect(ledger, first, 2)

    lease = next_attempt(ledger)
    finish(ledger, lease, 0, "old")
    assert finish(ledger, lease, 2, "old") is False  # beyond the old plan, which is void from here on
    assert finish(ledger, lease, 1, "old") is False
    assert expect(ledger, lease, 3) is True


def test_a_smaller_plan_drops_the_parts_beyond_it(ledger: Ledger) -> None:
    lease = claimed(ledger)
    expect(ledger, lease, 4)
    for index in (0, 1, 3):
        finish(ledger, lease, index)

    assert expect(ledger, lease, 3) is False

    assert [part.id.index for part in ledger.parts(lease.job_id, Stage.TRANSCRIPTION)] == [0, 1]
    assert finish(ledger, lease, 2) is True


def test_a_larger_plan_reopens_the_set(ledger: Ledger) -> None:
    lease = claimed(ledger)
    expect(ledger, lease, 1)
    assert finish(ledger, lease, 0) is True

    assert expect(ledger, lease, 2) is False

    assert finish(ledger, lease, 0) is False
    assert finish(ledger, lease, 1) is True


def test_a_straggler_of_a_plan_that_is_no_more_changes_nothing(ledger: Ledger) -> None:
    lease = claimed(ledger)
    expect(ledger, lease, 2)
    expect(ledger, lease, 1)

    assert finish(ledger, lease, 1) is False
    with pytest.raises(DubflowError) as refused:
        ledger.begin(lease, scene(1), "key")

    assert refused.value.code is ErrorCode.CONFLICT
    assert ledger.parts(lease.job_id, Stage.TRANSCRIPTION) == ()


def test_beginning_counts_the_attempts_with_a_key(ledger: Ledger) -> None:
    lease = claimed(ledger)

    assert [ledger.begin(lease, scene(0), "key") for _ in range(3)] == [1, 2, 3]
    part = ledger.parts(lease.job_id, Stage.TRANSCRIPTION)[0]
    assert (part.status, part.attempts, part.key) == (StageStatus.RUNNING, 3, "key")


def test_a_part_that_takes_down_its_workers_is_left_out(ledger: Ledger) -> None:
    lease = claimed(ledger)
    expect(ledger, lease, 2)
    finish(ledger, lease, 1)
    for _ in range(3):
        ledger.begin(lease, scene(0), "key")

    for _ in range(2):
        with pytest.raises(PartExhaustedError) as exhausted:
            ledger.begin(lease, scene(0), "key")
        assert (exhausted.value.code, exhausted.value.closes) == (ErrorCode.WORKER_CRASHED, True)

    part = ledger.parts(lease.job_id, Stage.TRANSCRIPTION)[0]
    assert part.status is StageStatus.FAILED
    assert part.failure is not None
    assert part.failure.code is ErrorCode.WORKER_CRASHED
    assert transcription(ledger, lease).failed == 1
    assert finish(ledger, lease, 0, failure=part.failure) is True


def test_a_part_stays_left_out_in_later_attempts_but_not_under_another_key(ledger: Ledger) -> None:
    first = claimed(ledger)
    expect(ledger, first, 2)
    for _ in range(3):
        ledger.begin(first, scene(0), "key")
    with pytest.raises(PartExhaustedError):
        ledger.begin(first, scene(0), "key")

    lease = next_attempt(ledger)

    with pytest.raises(PartExhaustedError) as exhausted:
        ledger.begin(lease, scene(0), "key")
    assert exhausted.value.closes is False
    assert ledger.begin(lease, scene(0), "other") == 1


def test_parts_that_ended_badly_may_be_begun_again(ledger: Ledger) -> None:
    lease = claimed(ledger)
    for attempt in range(1, 6):
        assert ledger.begin(lease, scene(0), "key") == attempt
        finish(ledger, lease, 0, failure=DEAF)


def test_parts_interrupted_on_purpose_are_not_counted_as_crashes(ledger: Ledger) -> None:
    lease = claimed(ledger)
    for _ in range(5):
        assert ledger.begin(lease, scene(0), "key") == 1
        ledger.hand_back(lease)
        claim = ledger.claim("next")
        assert claim is not None
        lease = claim.lease


def test_a_new_attempt_tries_again_what_may_pass_before_anything_closes(ledger: Ledger) -> None:
    first = claimed(ledger)
    expect(ledger, first, 3)
    finish(ledger, first, 1, failure=AWAY)
    finish(ledger, first, 2, failure=DEAF)
    assert finish(ledger, first, 0) is True

    lease = next_attempt(ledger)
    expect(ledger, lease, 3)

    assert finish(ledger, lease, 0) is False
    assert finish(ledger, lease, 2, failure=DEAF) is False
    assert finish(ledger, lease, 1) is True


def test_beginning_again_under_the_same_key_leaves_a_closed_set_closed(ledger: Ledger) -> None:
    lease = claimed(ledger)
    expect(ledger, lease, 2)
    finish(ledger, lease, 0)
    finish(ledger, lease, 1)

    ledger.begin(lease, scene(0), "key")

    assert finish(ledger, lease, 1) is True
    assert finish(ledger, lease, 0) is False


def test_a_warning_is_kept_once(ledger: Ledger) -> None:
    lease = claimed(ledger)

    ledger.warn(lease, "no_speech", "nothing is said")
    ledger.warn(lease, "no_speech", "nothing is said")
    ledger.warn(lease, "decode_errors", "frame \0 is broken")

    warnings = (("no_speech", "nothing is said"), ("decode_errors", "frame \N{REPLACEMENT CHARACTER} is broken"))
    assert ledger.job(lease.job_id).warnings == warnings
    assert [event.data["code"] for event in ledger.events(lease.job_id) if event.kind == "warning"] == [
        "no_speech",
        "decode_errors",
    ]


def test_an_exhausted_part_travels_between_processes() -> None:
    error = PartExhaustedError(PartId(Stage.SYNTHESIS, 4, "fr"), closes=True)

    copy = pickle.loads(pickle.dumps(error))

    assert (copy.part, copy.closes, str(copy)) == (error.part, True, str(error))
