"""The whole program with the embedded engines on real speech, as a user runs it: files, audio alone, and S3."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyloudnorm
import pysubs2
import pytest
from av.stream import Disposition

from actors.contracts.audio import ANALYSIS_RATE
from tests.fixtures.media import Picture, Track, write
from tests.fixtures.object_store import ObjectStore
from tests.fixtures.playback import picture_packets, samples
from tests.fixtures.run_fixture import home_for_runs
from tests.fixtures.runs import Finished, Runs
from tests.fixtures.speech import recording

SAMPLE = Path(__file__).parents[3] / "samples" / "jfk.mp4"
pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Dubbed:
    runs: Runs
    finished: Finished

    def line(self, name: str, language: str = "es") -> dict[str, Any]:
        return self.finished.results[name, language]

    def output(self, name: str, language: str = "es") -> Path:
        return Path(self.line(name, language)["output"])

    def script(self, name: str, language: str = "es") -> dict[str, Any]:
        document: dict[str, Any] = json.loads(Path(self.line(name, language)["script"]).read_text(encoding="utf-8"))
        return document


@pytest.fixture(scope="module")
def dubbed(s3_server: ObjectStore) -> Iterator[Dubbed]:
    """One run over a clip, a conversation in stereo, a reader without picture, and an object in S3."""
    with home_for_runs() as runs:
        runs.engines = ""
        bucket = s3_server.bucket()
        runs.settings = {"DUBFLOW_S3_ENDPOINT_URL": s3_server.url, "DUBFLOW_BLOB_URL": f"s3://{bucket}/artefacts"}
        talk = recording("two_speakers").samples
        picture = Picture(31, rate=5)
        conversation = write(
            runs.folder / "talk.mkv", picture, [Track(np.stack([talk, talk], axis=1), rate=ANALYSIS_RATE)]
        )
        read = Track(recording("librivox-0870").samples, rate=ANALYSIS_RATE, codec="libmp3lame")
        reader = write(runs.folder / "reader.mp3", None, [read])
        s3_server.client().upload_file(str(SAMPLE), bucket, "films/far away.mp4")
        finished = runs.dub(SAMPLE, conversation, reader, f"s3://{bucket}/films/far away.mp4", "--to", "es,ca")
        yield Dubbed(runs, finished)


NAMES = ("jfk.mp4", "talk.mkv", "reader.mp3", "far away.mp4")


def test_everything_is_dubbed_and_nothing_is_left_over(dubbed: Dubbed) -> None:
    assert dubbed.finished.code == 0, dubbed.finished.said
    assert {key: line["status"] for key, line in dubbed.finished.results.items()} == {
        (name, language): "completed" for name in NAMES for language in ("es", "ca")
    }
    assert dubbed.runs.leftovers() == []


def test_the_picture_is_copied_and_the_dub_comes_first(dubbed: Dubbed) -> None:
    output = dubbed.output("jfk.mp4")
    assert output.name == "jfk.es.mp4"
    assert picture_packets(output) == picture_packets(SAMPLE)
    with av.open(str(output)) as container:
        first, second = container.streams.audio
        assert (first.metadata["language"], second.metadata["language"]) == ("spa", "eng")
        assert first.disposition & Disposition.default
        assert not second.disposition & Disposition.default
        assert len(container.chapters()) == 1


def test_the_whole_duration_is_kept_to_the_sample(dubbed: Dubbed) -> None:
    assert len(samples(dubbed.output("jfk.mp4"))) == len(samples(SAMPLE))


def test_audio_alone_gives_audio_alone(dubbed: Dubbed) -> None:
    output = dubbed.output("reader.mp3")
    assert output.name == "reader.es.m4a"
    with av.open(str(output)) as container:
        assert not container.streams.video
        assert len(container.streams.audio) == 2


def test_an_object_in_s3_gives_what_the_same_file_gives(dubbed: Dubbed) -> None:
    near, far = dubbed.script("jfk.mp4"), dubbed.script("far away.mp4")
    assert far["utterances"] == near["utterances"]
    assert far["source"]["uri"].startswith("s3://")
    assert dubbed.output("far away.mp4").read_bytes()[-100_000:] == dubbed.output("jfk.mp4").read_bytes()[-100_000:]


def test_the_words_are_recognised_translated_and_in_their_time(dubbed: Dubbed) -> None:
    script = dubbed.script("jfk.mp4")
    assert script["source"]["language"] == "en"
    said = " ".join(utterance["source_text"].lower() for utterance in script["utterances"])
    assert "my fellow americans" in said
    assert "you can do for your country" in said
    spoken = " ".join(utterance["target_text"].lower() for utterance in script["utterances"])
    assert "americanos" in spoken
    assert "país" in spoken
    first, last = script["utterances"][0], script["utterances"][-1]
    assert first["start"] == pytest.approx(0.3, abs=0.5)
    assert last["end"] == pytest.approx(10.4, abs=0.5)
    assert script["speakers"] == [{"id": "S1", "gender": "male", "voice": script["speakers"][0]["voice"]}]
    catalan = dubbed.script("jfk.mp4", "ca")
    assert "vostre país" in " ".join(utterance["target_text"] for utterance in catalan["utterances"])


def test_every_speaker_has_a_voice_of_their_own(dubbed: Dubbed) -> None:
    script = dubbed.script("talk.mkv")
    voices = [speaker["voice"] for speaker in script["speakers"]]
    assert len(voices) == len(set(voices)) == 2
    assert {utterance["speaker"] for utterance in script["utterances"]} == {"S1", "S2"}


@pytest.mark.parametrize("name", NAMES)
def test_takes_keep_to_their_time_and_limits(dubbed: Dubbed, name: str) -> None:
    script = dubbed.script(name)
    report = script["report"]
    assert report["overlap_seconds"] == 0
    assert report["max_rate"] <= 1.3
    for utterance in script["utterances"]:
        assert utterance["placed_start"] >= utterance["start"] - 0.401
        assert utterance["placed_end"] <= script["source"]["duration"] + 0.001
        assert utterance["rate"] >= 0.9


@pytest.mark.parametrize("name", NAMES)
def test_the_dub_is_as_loud_as_its_source_by_an_independent_meter(dubbed: Dubbed, name: str) -> None:
    output = dubbed.output(name)
    with av.open(str(output)) as container:
        rates = [stream.rate for stream in container.streams.audio]
    dub, original = (
        pyloudnorm.Meter(rate).integrated_loudness(samples(output, track)) for track, rate in enumerate(rates)
    )
    assert dub == pytest.approx(original, abs=2.5)
    report = dubbed.script(name)["report"]
    assert report["loudness_dub_lufs"] == pytest.approx(dub, abs=0.6)
    assert report["true_peak_dbtp"] <= -0.9
    assert np.abs(samples(output)).max() < 1.0


def test_subtitles_show_what_is_spoken_when_it_is_spoken(dubbed: Dubbed) -> None:
    script = dubbed.script("jfk.mp4")
    for path in dubbed.line("jfk.mp4")["subtitles"]:
        cues = pysubs2.load(path)
        assert [cue.plaintext.replace("\n", " ") for cue in cues] == [u["target_text"] for u in script["utterances"]]
        assert [cue.start for cue in cues] == [round(u["placed_start"] * 1000) for u in script["utterances"]]
