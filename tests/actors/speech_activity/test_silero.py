import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from actors.contracts.audio import Samples
from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.speech_activity import WINDOW_SAMPLES
from actors.speech_activity.silero import Silero
from actors.speech_activity.spans import speech_spans
from tests.fixtures.speech import recording, reference_turns


@pytest.fixture(scope="module")
def detector() -> Iterator[Silero]:
    detector = Silero(EngineOptions())
    detector.check()
    detector.load()
    yield detector
    detector.close()


def probabilities(detector: Silero, samples: Samples) -> NDArray[np.float32]:
    stream = detector.stream()
    return np.concatenate([stream.push(samples), stream.flush()])


@given(cuts=st.lists(st.integers(0, 40_000), max_size=8), length=st.integers(0, 40_000))
@settings(max_examples=40)
def test_probabilities_do_not_depend_on_how_the_audio_is_cut(detector: Silero, cuts: list[int], length: int) -> None:
    samples = recording("jfk").samples[:length]
    stream = detector.stream()
    parts = [stream.push(part) for part in np.split(samples, sorted(min(cut, length) for cut in cuts))]
    pieces = np.concatenate([*parts, stream.flush()])
    assert len(pieces) == -(-length // WINDOW_SAMPLES)
    np.testing.assert_array_equal(pieces, probabilities(detector, samples))


def test_streams_of_one_detector_do_not_disturb_each_other(detector: Silero) -> None:
    samples = recording("jfk").samples[:32_000]
    one, other = detector.stream(), detector.stream()
    other.push(recording("two_speakers").samples[160_000:200_000])
    first = one.push(samples[:10_000])
    other.push(samples[::-1].copy())
    np.testing.assert_array_equal(
        np.concatenate([first, one.push(samples[10_000:]), one.flush()]), probabilities(detector, samples)
    )


def test_speech_of_a_conversation_is_found(detector: Silero) -> None:
    clip = recording("two_speakers")
    spans = speech_spans(probabilities(detector, clip.samples), clip.seconds)
    turns = [span for span, _ in reference_turns("two_speakers")]
    spoken = np.zeros(int(clip.seconds * 100), bool)
    found = spoken.copy()
    for marks, stretches in ((spoken, turns), (found, spans)):
        for span in stretches:
            marks[int(span.start * 100) : int(span.end * 100)] = True
    assert found[spoken].mean() > 0.95
    assert not found[:600].any()


def test_silence_and_noise_are_no_speech(detector: Silero) -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, 160_000).astype(np.float32)
    assert speech_spans(probabilities(detector, noise), 10) == ()
    assert speech_spans(probabilities(detector, np.zeros(160_000, np.float32)), 10) == ()


def test_the_model_is_found_without_importing_the_package_around_it() -> None:
    program = (
        "import sys\n"
        "from actors.contracts.engine import EngineOptions\n"
        "from actors.speech_activity.silero import Silero\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "detector = Silero(EngineOptions())\n"
        "detector.load()\n"
        "assert 'faster_whisper' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_missing_model_names_the_command_that_brings_it(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="pip install") as caught:
        Silero(EngineOptions(model=str(tmp_path / "none.onnx"))).check()
    assert caught.value.code == "model_missing"


def test_a_broken_model_is_an_engine_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    with pytest.raises(EngineError) as caught:
        Silero(EngineOptions(model=str(broken))).load()
    assert caught.value.code == "model_load_failed"


def test_use_before_load_is_refused() -> None:
    with pytest.raises(EngineError):
        Silero(EngineOptions()).stream()
