import json
import os
from pathlib import Path

import pytest

from cluster.errors import ErrorCode
from dataflow.inputs import expand
from dataflow.naming import file_name


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def names(folder: Path, *arguments: str) -> list[str]:
    inputs, missing = expand([str(folder / argument) for argument in arguments])
    assert not missing
    return [file_name(one.stem, "es", ".mp4") for one in inputs]


def test_a_file_gives_its_own_name(tmp_path: Path) -> None:
    make(tmp_path, "talk.mov")
    assert names(tmp_path, "talk.mov") == ["talk.es.mp4"]


def test_a_folder_gives_its_media_at_any_depth_and_keeps_its_folders(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "week 1/b.MKV", "week 1/notes.txt", "week 2/deep/c.wav")
    assert names(tmp_path, ".") == ["a.es.mp4", "week 1/b.es.mp4", "week 2/deep/c.es.mp4"]


def test_patterns_that_the_shell_left_are_expanded(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "b.mp4", "c.txt")
    assert names(tmp_path, "*.mp4") == ["a.es.mp4", "b.es.mp4"]


def test_a_name_that_looks_like_a_pattern_is_taken_as_it_is(tmp_path: Path) -> None:
    make(tmp_path, "[1].mp4", "1.mp4")
    assert names(tmp_path, "[1].mp4") == ["[1].es.mp4"]


def test_equal_names_keep_their_folders(tmp_path: Path) -> None:
    make(tmp_path, "monday/talk.mp4", "tuesday/talk.mp4", "other.mp4")
    assert names(tmp_path, "monday/talk.mp4", "tuesday/talk.mp4", "other.mp4") == [
        "monday/talk.es.mp4",
        "tuesday/talk.es.mp4",
        "other.es.mp4",
    ]


def test_equal_names_in_one_folder_keep_their_extensions(tmp_path: Path) -> None:
    make(tmp_path, "talk.mp4", "talk.mov")
    assert names(tmp_path, "talk.mp4", "talk.mov") == ["talk.mp4.es.mp4", "talk.mov.es.mp4"]


def test_the_same_file_twice_is_one_input(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4")
    assert names(tmp_path, "a.mp4", ".", "../" + tmp_path.name + "/a.mp4") == ["a.es.mp4"]


def test_results_of_an_earlier_run_are_not_dubbed_again(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "a.es.mp4", "b.es.mp4")
    (tmp_path / "a.es.json").write_text(json.dumps({"format": "dubflow.script/1"}), encoding="utf-8")
    assert names(tmp_path, ".") == ["a.es.mp4", "b.es.es.mp4"]


@pytest.mark.parametrize("name", ["-x.mp4", "a:b.mp4", "with space.mp4", "\U0001f3ac.mp4", "%03d.mp4"])
def test_odd_names_come_through(tmp_path: Path, name: str) -> None:
    make(tmp_path, name)
    (found,), _ = expand([str(tmp_path / name)])
    assert Path(found.location).exists()
    assert file_name(found.stem, "es", ".mp4") == name.removesuffix(".mp4") + ".es.mp4"
    found.stem.encode("ascii")


@pytest.mark.parametrize(
    ("raw", "result"), [(b"caf\xe9.mp4", "caf%E9.es.mp4"), (b"new\nline.mp4", "new%0Aline.es.mp4")]
)
def test_a_name_that_is_no_text_gives_results_with_legible_names(tmp_path: Path, raw: bytes, result: str) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/" + raw)
    Path(path).write_bytes(b"x")
    (found,), _ = expand([path])
    assert Path(found.location).exists()
    assert file_name(found.stem, "es", ".mp4") == result


def test_a_very_long_name_is_shortened_and_stays_its_own(tmp_path: Path) -> None:
    make(tmp_path, "x" * 240 + "1.mp4", "x" * 240 + "2.mp4")
    first, second = names(tmp_path, ".")
    assert first != second
    assert max(len(first), len(second)) <= 255


def test_what_is_not_there_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4")
    (tmp_path / "empty").mkdir()
    inputs, missing = expand([str(tmp_path / "a.mp4"), str(tmp_path / "b.mp4"), str(tmp_path / "empty")])
    assert len(inputs) == 1
    assert [error.code for _, error in missing] == [ErrorCode.NOT_FOUND, ErrorCode.NOT_FOUND]


def test_objects_in_s3_are_named_by_their_keys() -> None:
    (found,), _ = expand(["s3://bucket/course/lesson 1.mp4"])
    assert found.location == "s3://bucket/course/lesson 1.mp4"
    assert file_name(found.stem, "es", ".mp4") == "lesson 1.es.mp4"
