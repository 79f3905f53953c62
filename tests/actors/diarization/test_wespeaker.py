"""The engine with two small networks that know four voices, on sentences that they have not heard."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actors.contracts.audio import ANALYSIS_RATE, Clip, Span
from actors.contracts.diarization import Diarization, DiarizationRequest
from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.models import ModelSpec
from actors.diarization.linking import link
from actors.diarization.wespeaker import WeSpeaker
from actors.profiles import choose
from tests.fixtures.checkpoints.wespeaker import wespeaker_checkpoint
from tests.fixtures.measured import Report
from tests.fixtures.talks import Truth, error_rate, in_turn, talk

models = [pytest.mark.models, pytest.mark.timeout(600)]

OVERLAPPING = [("m6", 0.5), ("f2", -1.0), ("m1", 0.5), ("f2", -1.2), ("m6", 0.5), ("m1", 0.5), ("f2", 0.5)]


def options(folder: Path, **parameters: str) -> EngineOptions:
    return EngineOptions(parameters={"model": str(folder), "segmentation": str(folder), **parameters})


@pytest.fixture(scope="module")
def engine() -> Iterator[WeSpeaker]:
    engine = WeSpeaker(options(wespeaker_checkpoint()))
    engine.check()
    engine.load()
    yield engine
    engine.close()


def only(engine: WeSpeaker, request: DiarizationRequest) -> Diarization:
    (outcome,) = engine.run([request])
    assert isinstance(outcome, Diarization), outcome
    return outcome


def who_is_who(found: Diarization, truth: Truth) -> dict[str, int]:
    """The number of each voice: that of whoever speaks most while it does."""
    numbers = {}
    for voice in dict.fromkeys(name for _, name in truth):
        shared = dict.fromkeys(range(len(found.speakers)), 0.0)
        for turn, (span, name) in itertools.product(found.turns, truth):
            shared[turn.speaker] += span.overlap(Span(turn.start, turn.end)) if name == voice else 0.0
        numbers[voice] = max(shared, key=lambda number: shared[number])
    return numbers


class TestWithNetworks:
    pytestmark = models

    @pytest.mark.parametrize(
        "voices",
        [
            ("m6", "f2", "m6", "f2"),
            ("m6", "f2", "m1", "f2", "m1", "m6", "f2", "m1"),
            ("m6", "f2", "m6", "m1", "f2", "m1", "f5", "m1", "f5", "f2"),
            ("f5", "f5", "f5", "f5"),
        ],
    )
    def test_speakers_are_told_apart_on_the_sources_clock(
        self, engine: WeSpeaker, report: Report, voices: tuple[str, ...]
    ) -> None:
        request, truth = in_turn(*voices, start=100.0)
        found = only(engine, request)
        rate = error_rate(found, truth)
        report(f"wespeaker, {len(set(voices))} voices: diarization error rate {rate:.1%}")
        assert rate < 0.04
        assert [speaker.speaker for speaker in found.speakers] == list(range(len(set(voices))))
        numbers = who_is_who(found, truth)
        assert len(set(numbers.values())) == len(numbers)
        for voice, number in numbers.items():
            speaker, said = found.speakers[number], sum(span.seconds for span, name in truth if name == voice)
            assert speaker.seconds == pytest.approx(said, rel=0.2)
            assert np.linalg.norm(speaker.voiceprint) == pytest.approx(1.0, abs=1e-5)

    def test_who_speaks_at_the_same_time_has_turns_that_overlap(self, engine: WeSpeaker, report: Report) -> None:
        request, truth = talk(OVERLAPPING)
        found = only(engine, request)
        rate = error_rate(found, truth)
        report(f"wespeaker, overlapping speech of three voices: diarization error rate {rate:.1%}")
        assert rate < 0.08
        numbers = who_is_who(found, truth)
        assert sorted(numbers.values()) == [0, 1, 2]
        for (before, one), (after, other) in (truth[:2], truth[2:4]):
            middle = (after.start + before.end) / 2
            speaking = {turn.speaker for turn in found.turns if turn.start <= middle < turn.end}
            assert speaking == {numbers[one], numbers[other]}

    def test_numbers_of_speakers_are_respected(self, engine: WeSpeaker) -> None:
        request, truth = in_turn("m6", "f2", "m1", "f2", "m6", "m1")
        one = only(engine, replace(request, max_speakers=1))
        assert len(one.speakers) == 1
        assert sum(turn.end - turn.start for turn in one.turns) == pytest.approx(
            sum(span.seconds for span, _ in truth), rel=0.1
        )
        assert len(only(engine, replace(request, max_speakers=2)).speakers) == 2
        assert len(only(engine, replace(request, min_speakers=3, max_speakers=3)).speakers) == 3
        # The source has at least two people, this scene of it has one.
        alone, _ = in_turn("f5", "f5", "f5")
        assert len(only(engine, replace(alone, min_speakers=2)).speakers) == 1

    def test_people_are_found_again_in_other_scenes(self, engine: WeSpeaker) -> None:
        talks = (("m6", "f2", "m6", "f2"), ("f2", "m1", "f2", "m1"), ("m1", "m1"), ("f5", "f2", "f5", "f2"))
        scenes = [only(engine, in_turn(*voices, seed=i)[0]).speakers for i, voices in enumerate(talks)]
        assert link(scenes, engine.metric) == ((0, 1), (1, 2), (2,), (3, 1))
        assert engine.metric.across_recordings

    def test_scenes_diarized_together_are_what_each_is_alone(self, engine: WeSpeaker) -> None:
        requests = [in_turn(*voices)[0] for voices in (("m6", "f2"), ("f5",), ("m1", "f2", "m1", "m6", "f5", "m6"))]
        requests += [talk(OVERLAPPING)[0], replace(requests[0], clip=Clip(requests[0].clip.samples[:9000], 16_000))]
        for request, together in zip(requests, engine.run(requests), strict=True):
            alone = only(engine, request)
            assert isinstance(together, Diarization)
            assert together.turns == alone.turns
            for one, other in zip(together.speakers, alone.speakers, strict=True):
                assert one.seconds == other.seconds
                assert one.voiceprint == pytest.approx(other.voiceprint, abs=1e-4)

    def test_windows_that_start_further_apart_are_a_choice(self, engine: WeSpeaker) -> None:
        request, truth = in_turn("m6", "f2", "m6", "f2")
        coarse = WeSpeaker(options(wespeaker_checkpoint(), step="5", batch="1"))
        coarse.load()
        assert error_rate(only(coarse, request), truth) < 0.04
        assert coarse.info.identity != engine.info.identity

    def test_a_broken_request_costs_only_itself(self, engine: WeSpeaker) -> None:
        request, _ = in_turn("m6", "f2")
        silent = replace(request, clip=Clip(np.full(48_000, np.nan, np.float32), ANALYSIS_RATE))
        contradiction = replace(request, min_speakers=3, max_speakers=2)
        first, nothing, error, last = engine.run([request, silent, contradiction, request])
        assert isinstance(first, Diarization)
        assert isinstance(last, Diarization)
        assert [one.turns for one in (first, last)] == [only(engine, request).turns] * 2
        assert nothing == Diarization((), ())
        assert isinstance(error, EngineError)
        assert error.code == "invalid_request"

    @pytest.mark.parametrize("seconds", [0.0, 0.01, 3.0, 25.0])
    def test_silence_has_no_speakers(self, engine: WeSpeaker, seconds: float) -> None:
        quiet = Clip(np.zeros(round(seconds * ANALYSIS_RATE), np.float32), ANALYSIS_RATE)
        assert only(engine, DiarizationRequest(quiet, ())) == Diarization((), ())

    def test_a_word_is_a_turn_inside_its_clip(self, engine: WeSpeaker) -> None:
        request, _ = in_turn("m6")
        word = replace(request, clip=Clip(request.clip.samples[8000:12_000], ANALYSIS_RATE, 7.0))
        found = only(engine, word)
        assert len(found.speakers) == 1
        assert all(7.0 <= turn.start < turn.end <= 7.25 for turn in found.turns)

    def test_other_networks_are_refused(self, tmp_path: Path) -> None:
        made = wespeaker_checkpoint()
        voices, segmentation = (made / "voxceleb_resnet34_LM.onnx").read_bytes(), made / "onnx" / "model.onnx"
        for swapped, text in (("voxceleb_resnet34_LM.onnx", segmentation.read_bytes()), ("onnx/model.onnx", voices)):
            folder = tmp_path / Path(swapped).stem
            (folder / "onnx").mkdir(parents=True)
            (folder / "voxceleb_resnet34_LM.onnx").write_bytes(voices)
            (folder / "onnx" / "model.onnx").write_bytes(segmentation.read_bytes())
            (folder / swapped).write_bytes(text)
            with pytest.raises(EngineError) as failed:
                WeSpeaker(options(folder)).load()
            assert failed.value.code == "model_load_failed"


def test_it_says_what_is_missing_and_where_it_comes_from(tmp_path: Path) -> None:
    engine = WeSpeaker(EngineOptions(models=tmp_path))
    with pytest.raises(EngineError, match=r"dubflow models fetch diarization\.wespeaker") as missing:
        engine.check()
    assert missing.value.code == "model_missing"

    def licences(specs: tuple[ModelSpec, ...]) -> dict[str, str]:
        return {spec.source: spec.licence for spec in specs}

    assert licences(engine.info.needs) == {
        "Wespeaker/wespeaker-voxceleb-resnet34-LM": "CC-BY-4.0",
        "onnx-community/pyannote-segmentation-3.0": "MIT",
    }
    assert engine.info.commercial_use


def test_it_is_what_the_cpu_profile_diarizes_with() -> None:
    assert choose("cpu")["diarization"] == "wespeaker"
    assert choose("lite")["diarization"] == "acoustic"
    assert choose("gpu")["diarization"] == "pyannote"
