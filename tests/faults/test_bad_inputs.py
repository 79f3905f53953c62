"""One run over a folder of everything that people bring: each bad file costs itself and one clear line."""

import os
from pathlib import Path

import pytest

from tests.fixtures import tones
from tests.fixtures.media import Picture, Track, claim_days, cut, tone, write
from tests.fixtures.runs import Runs

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\ngood.mp4\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile good.mp4\n"


def bad_files(folder: Path) -> dict[str, str]:
    """Writes what cannot be dubbed; gives the code that each file has to cost."""
    good = tones.video(folder / "good.mp4", 12)
    (folder / "zero.mp4").write_bytes(b"")
    (folder / "random.mp4").write_bytes(os.urandom(50_000))
    (folder / "text.mp4").write_text("This is not a film.\n" * 100)
    (folder / "hls.mp4").write_text(HLS)
    (folder / "concat.mp4").write_text(CONCAT)
    write(folder / "silent film.mp4", Picture(1))
    cut(good, folder / "no-index.mp4", 0.3)
    whole = write(folder / "whole.mp4", Picture(6), [Track(tone(6))], options={"movflags": "+faststart"})
    cut(whole, folder / "cut-short.mp4", 0.6)
    whole.unlink()
    return {
        "zero.mp4": "unsupported_media",
        "random.mp4": "unsupported_media",
        "text.mp4": "unsupported_media",
        "hls.mp4": "unsupported_media",
        "concat.mp4": "unsupported_media",
        "silent film.mp4": "no_audio",
        "no-index.mp4": "truncated_media",
        "cut-short.mp4": "truncated_media",
    }


def odd_files(folder: Path) -> dict[str, str]:
    """Writes what is unusual but can be dubbed; gives the results' names."""
    names = ["-x.mp4", "a:b.mp4", "\U0001f3ac film %03d.mp4"]
    for i, name in enumerate(names):
        tones.video(folder / name, 6, seed=10 + i)
    tones.video(folder / "talk.m4a", 8, seed=20, picture=False)
    tones.video(Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.mp4")), 7, seed=21)
    claim_days(tones.video(folder / "short.mp4", 9, seed=22), folder / "days.mp4")
    (folder / "short.mp4").unlink()
    write(folder / "nobody.mp4", Picture(3), [Track(tone(3, level=0.0))])
    return {
        **{name: name.removesuffix(".mp4") + ".es.mp4" for name in names},
        "talk.m4a": "talk.es.m4a",
        "caf\udce9.mp4": "caf%E9.es.mp4",
        "days.mp4": "days.es.mp4",
        "nobody.mp4": "nobody.es.mp4",
        "good.mp4": "good.es.mp4",
    }


def test_bad_files_cost_themselves_and_odd_ones_are_dubbed(runs: Runs) -> None:
    folder = runs.folder / "in"
    folder.mkdir()
    codes, results = bad_files(folder), odd_files(folder)

    finished = runs.dub(folder, runs.folder / "missing.mp4", "--to", "es")

    assert finished.code == 1
    failed = {name: line for (name, _), line in finished.results.items() if line["status"] == "failed"}
    assert {name: line["error"]["code"] for name, line in failed.items()} == {**codes, "missing.mp4": "not_found"}
    for name, line in failed.items():
        message = line["error"]["message"]
        assert "\n" not in message, name
        assert 10 < len(message) < 250, name
    made = {name: line for (name, _), line in finished.results.items() if line["status"] == "completed"}
    assert {name: Path(line["output"]).name for name, line in made.items()} == results
    for name, line in made.items():
        assert Path(line["output"]).stat().st_size > 1000, name
        assert Path(line["script"]).exists()
        assert all(Path(path).exists() for path in line["subtitles"])
    (warning,) = made["nobody.mp4"]["report"]["warnings"]
    assert warning.startswith("no_speech")
    assert sorted(path.name for path in runs.out.iterdir()) == sorted(
        Path(results[name]).with_suffix(suffix).name
        for name in results
        for suffix in (Path(results[name]).suffix, ".srt", ".vtt", ".json")
    )
    assert runs.leftovers() == []


def test_wrong_usage_ends_at_once_with_one_line(runs: Runs) -> None:
    video = tones.video(runs.folder / "v.mp4", 5)
    wrong = {
        ("--to", "klingonese"): "unsupported_language",
        ("--to", "ja"): "unsupported_language",
        ("--to", "es", "--start", "later"): "invalid_request",
        ("--to", "es", "-y", "-n"): "invalid_request",
        ("--to", ","): "invalid_request",
    }
    for arguments, code in wrong.items():
        ended = runs.dub(video, *arguments)
        assert ended.code == 2, arguments
        (line,) = ended.said.splitlines()
        assert line.startswith(f"dubflow: {code}: ")
        assert ended.results == {}
    runs.fault("translation", "missing")
    ended = runs.dub(video, "--to", "es")
    assert ended.code == 3
    assert ended.said.startswith("dubflow: model_missing: ")
    assert not runs.out.exists()


def test_results_are_never_overwritten_silently(runs: Runs) -> None:
    video = tones.video(runs.folder / "v.mp4", 5)
    runs.out.mkdir()
    mine = runs.out / "v.es.mp4"
    mine.write_text("precious")
    refused = runs.dub(video, "--to", "es")
    assert refused.code == 1
    assert refused.results["v.mp4", "es"]["error"]["code"] == "conflict"
    left = runs.dub(video, "--to", "es", "-n")
    assert left.code == 0
    assert left.results["v.mp4", "es"]["status"] == "skipped"
    assert mine.read_text() == "precious"
    assert runs.leftovers() == []


def test_a_folder_that_cannot_be_written_is_named(runs: Runs) -> None:
    video = tones.video(runs.folder / "v.mp4", 5)
    runs.out.write_text("a file where the folder should be")
    ended = runs.dub(video, "--to", "es")
    assert ended.code in {1, 3}
    assert ended.said.startswith(f"dubflow: storage_failed: {runs.out} cannot be used")
    assert not runs.calls()
    assert runs.leftovers() == []
