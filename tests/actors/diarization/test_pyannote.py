"""The real library on a small pipeline that knows four voices."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.contracts.audio import ANALYSIS_RATE, Clip
from actors.contracts.diarization import Diarization, DiarizationRequest
from actors.contracts.engine import EngineError, EngineOptions
from actors.diarization.linking import link
from actors.diarization.pyannote import Pyannote
from tests.fixtures.checkpoints.diarization import diarization_checkpoint
from tests.fixtures.measured import Report
from tests.fixtures.talks import error_rate, in_turn

models = [pytest.mark.models, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def engine() -> Iterator[Pyannote]:
    engine = Pyannote(EngineOptions(parameters={"model": str(diarization_checkpoint()), "batch": "8"}))
    engine.check()
    engine.load()
    yield engine
    engine.close()


def only(engine: Pyannote, request: DiarizationRequest) -> Diarization:
    (outcome,) = engine.run([request])
    assert isinstance(outcome, Diarization), outcome
    return outcome


class TestWithThePipeline:
    pytestmark = models

    def test_speakers_are_told_apart_on_the_sources_clock(self, engine: Pyannote, report: Report) -> None:
        request, truth = in_turn("m6", "f2", "m6", "f2", start=100.0)
        found = only(engine, request)
        rate = error_rate(found, truth)
        report(f"pyannote, two voices: diarization error rate {rate:.1%}")
        assert len(found.speakers) == 2
        assert rate < 0.08
        assert found.turns[0].start >= 100.0
        assert found.turns[-1].end <= request.clip.span.end
        assert all(len(speaker.voiceprint) == 3 and speaker.seconds > 3 for speaker in found.speakers)
        assert [speaker.speaker for speaker in found.speakers] == [0, 1]

    def test_scenes_diarized_together_are_what_the_library_makes_of_each_alone(self, engine: Pyannote) -> None:
        from pyannote.audio import Pipeline

        requests = [in_turn(*voices)[0] for voices in (("m6", "f2"), ("f5",), ("m1", "f2", "m1"))]
        requests.append(replace(requests[0], clip=Clip(requests[0].clip.samples[:9000], ANALYSIS_RATE)))
        stock: Any = Pipeline.from_pretrained(diarization_checkpoint())
        for request, found in zip(requests, engine.run(requests), strict=True):
            import torch

            file = {"waveform": torch.from_numpy(request.clip.samples)[None], "sample_rate": ANALYSIS_RATE, "uri": "x"}
            expected = stock(file)
            assert isinstance(found, Diarization)
            labels = expected.speaker_diarization.labels()
            turns = sorted(
                (segment.start, labels.index(label), min(segment.end, request.clip.seconds))
                for segment, _, label in expected.speaker_diarization.itertracks(yield_label=True)
                if segment.start < request.clip.seconds
            )
            assert [turn.start for turn in found.turns] == pytest.approx([start for start, _, _ in turns])
            assert [turn.end for turn in found.turns] == pytest.approx([end for _, _, end in turns])
            # The library numbers speakers as its clustering does, here they are numbered as they appear.
            appeared = list(dict.fromkeys(label for _, label, _ in turns))
            for speaker, label in zip(found.speakers, appeared, strict=True):
                embedding = expected.speaker_embeddings[label]
                known = embedding if np.isfinite(embedding).all() else ()
                assert speaker.voiceprint == pytest.approx(tuple(known), rel=1e-3, abs=1e-3)

    def test_a_person_is_found_again_in_another_scene(self, engine: Pyannote) -> None:
        talks = (("m6", "f2", "m6", "f2"), ("f2", "m6", "f2", "m6"), ("m1", "m1"))
        requests = [in_turn(*voices, seed=seed)[0] for seed, voices in enumerate(talks)]
        scenes = [outcome.speakers for outcome in engine.run(requests) if isinstance(outcome, Diarization)]
        assert link(scenes, engine.metric) == ((0, 1), (1, 0), (2,))
        assert engine.metric.across_recordings

    def test_no_more_speakers_are_found_than_there_may_be(self, engine: Pyannote) -> None:
        request, _ = in_turn("m6", "f2", "m6", "f2")
        assert len(only(engine, replace(request, max_speakers=1)).speakers) == 1

    def test_silence_has_no_speakers(self, engine: Pyannote) -> None:
        quiet = Clip(np.zeros(3 * ANALYSIS_RATE, np.float32), ANALYSIS_RATE)
        nothing = Clip(np.zeros(0, np.float32), ANALYSIS_RATE)
        for clip in (quiet, nothing):
            assert only(engine, DiarizationRequest(clip, ())) == Diarization((), ())

    def test_a_contradiction_costs_its_own_request(self, engine: Pyannote) -> None:
        request, _ = in_turn("m6", "f2")
        bad, good = engine.run([replace(request, min_speakers=3, max_speakers=2), request])
        assert isinstance(bad, EngineError)
        assert bad.code == "invalid_request"
        assert isinstance(good, Diarization)

    def test_a_folder_that_is_no_pipeline_is_told_so(self, tmp_path: Path) -> None:
        (tmp_path / "config.yaml").write_text("pipeline: {name: nothing.At.All}\n")
        with pytest.raises(EngineError) as failed:
            Pyannote(EngineOptions(parameters={"model": str(tmp_path)})).load()
        assert failed.value.code == "model_load_failed"


@pytest.mark.models
def test_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"dubflow models fetch diarization\.pyannote") as missing:
        Pyannote(EngineOptions(models=tmp_path)).check()
    assert missing.value.code == "model_missing"
