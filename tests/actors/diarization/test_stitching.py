import numpy as np
import pytest
from numpy.typing import NDArray

from actors.diarization.powerset import FRAME_SAMPLES, FRAME_SECONDS, FRAMES
from actors.diarization.stitching import stitch

STEP = 32_000


def windows(truth: NDArray[np.bool_], count: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """What a perfect network says of windows of a timeline (frames, people), its speakers numbered anew in each."""
    random = np.random.default_rng(3)
    activity, who = [], []
    for number in range(count):
        start = round(number * STEP / FRAME_SAMPLES)
        order = random.permutation(truth.shape[1])
        activity.append(truth[start : start + FRAMES, order])
        who.append(order)
    return np.array(activity), np.array(who)


def timeline(count: int, people: int = 3) -> NDArray[np.bool_]:
    """Turns of about a second, never more than two at once."""
    random = np.random.default_rng(5)
    length = round((count - 1) * STEP / FRAME_SAMPLES) + FRAMES
    loud = random.normal(size=(length // 60 + 1, people)).repeat(60, axis=0)[:length]
    rank = np.argsort(np.argsort(-loud, axis=1), axis=1)
    truth: NDArray[np.bool_] = (rank < 2) & (loud > 0)
    return truth


def test_windows_that_agree_give_what_they_were_cut_from() -> None:
    truth = timeline(12)
    activity, who = windows(truth, 12)
    assert np.array_equal(stitch(activity, who, 3, STEP).speaks, truth)


def test_a_window_that_errs_is_outvoted() -> None:
    truth = timeline(12)
    activity, who = windows(truth, 12)
    activity[6] = False
    found = stitch(activity, who, 3, STEP).speaks
    assert np.count_nonzero(found != truth) < 0.01 * truth.size


def test_turns_and_seconds_are_those_of_the_frames() -> None:
    activity = np.zeros((1, FRAMES, 3), np.bool_)
    activity[0, 100:200, 0] = True
    activity[0, 150:300, 1] = True
    found = stitch(activity, np.array([[1, 0, -1]]), 2, STEP)
    ((start, end),) = found.spans(1)
    assert (start, end) == pytest.approx((0.031 + 100 * FRAME_SECONDS, 0.031 + 200 * FRAME_SECONDS), abs=1e-3)
    assert found.alone(1) == pytest.approx(50 * FRAME_SECONDS)
    assert found.alone(0) == pytest.approx(100 * FRAME_SECONDS)


def test_two_numbers_of_a_window_may_be_one_person() -> None:
    activity = np.zeros((1, FRAMES, 3), np.bool_)
    activity[0, :100, 0] = True
    activity[0, 100:200, 1] = True
    found = stitch(activity, np.array([[0, 0, -1]]), 1, STEP)
    assert len(list(found.spans(0))) == 1


@pytest.mark.models
def test_it_is_what_pyannotes_own_reconstruction_gives() -> None:
    from pyannote.audio.pipelines.speaker_diarization import SpeakerDiarization
    from pyannote.audio.pipelines.utils import SpeakerDiarizationMixin
    from pyannote.core import SlidingWindow, SlidingWindowFeature

    activity, who = windows(timeline(9), 9)
    random = np.random.default_rng(1)
    errs = random.random((9, FRAMES // 19, 1)).repeat(19, axis=1) < 0.05
    activity = activity & ~errs
    clock = SlidingWindow(start=0.0, duration=10.0, step=STEP / 16_000)
    theirs = SlidingWindowFeature(activity.astype(np.float32), clock)
    frames = SlidingWindow(start=0.0, duration=991 / 16_000, step=270 / 16_000)
    count = SpeakerDiarizationMixin.speaker_count(theirs, frames, warm_up=(0.0, 0.0))
    rebuilt = SpeakerDiarization.reconstruct(SpeakerDiarizationMixin(), theirs, who, count).data > 0
    found = stitch(activity, who, 3, STEP).speaks
    assert np.array_equal(found, rebuilt[: len(found)])
    assert not rebuilt[len(found) :].any()
