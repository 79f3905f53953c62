import av
import numpy as np
import pytest

from cluster.errors import DubflowError, ErrorCode
from dataflow.media.child.mixdown import Mixdown, Shape
from tests.fixtures.media import tone


def mixed(layout: str, speaking: int, target: str, *, format_name: str = "flt") -> np.ndarray:
    """A second of a tone in one channel of a layout, mixed to 16 kHz: shape (channels, n)."""
    count = av.AudioLayout(layout).nb_channels
    channels = np.zeros((48_000, count), np.float32)
    channels[:, speaking] = tone(1)
    frame = av.AudioFrame.from_ndarray(channels.reshape(1, -1), format_name, layout)
    frame.rate = 48_000
    mixdown = Mixdown(Shape.of(frame), 16_000, target)
    assert mixdown.shape.fits(frame)
    pieces = [*mixdown.push(frame), *mixdown.flush()]
    sound = np.concatenate([p.to_ndarray()[0] for p in pieces])
    return sound.reshape(-1, 1 if target == "mono" else 2).T


def level(sound: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(sound**2)) + 1e-9) - 20 * np.log10(0.5 / np.sqrt(2)))


@pytest.mark.parametrize("target", ["mono", "stereo"])
@pytest.mark.parametrize(
    ("layout", "speaking", "loss"),
    [
        *(("mono", 0, 0.0), ("FL+FR+LFE", 1, 9.0), ("5.1(side)", 2, 12.0), ("octagonal", 2, 15.0)),
        *(("ambisonic 1", 0, 0.0), ("ambisonic 2", 0, 0.0), ("hexadecagonal", 4, 23.0)),
    ],
)
def test_speech_is_heard_whatever_the_layout(layout: str, speaking: int, loss: float, target: str) -> None:
    sound = mixed(layout, speaking, target)

    assert sound.shape[1] == 16_000
    assert -loss - 0.1 <= max(level(side) for side in sound) <= 0.1


def test_every_unnamed_channel_counts_alike() -> None:
    levels = [level(mixed("12 channels", speaking, "mono")) for speaking in range(12)]

    assert levels == pytest.approx([-10.8] * 12, abs=0.1)


def test_what_cannot_be_mixed_is_refused() -> None:
    with pytest.raises(DubflowError) as caught:
        Mixdown(Shape("flt", "no such layout", 48_000, 4), 16_000, "mono")
    assert caught.value.code is ErrorCode.UNSUPPORTED_MEDIA
