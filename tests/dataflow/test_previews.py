import json
import os
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from cluster.errors import DubflowError, ErrorCode
from cluster.settings import Settings
from cluster.sources import describe_source
from dataflow import fetch, previews
from tests.fixtures.object_store import ObjectStore

SAMPLE = Path(__file__).parents[2] / "samples" / "jfk.mp4"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path)  # type: ignore[call-arg]


@pytest.fixture
def film(object_store: ObjectStore, settings: Settings) -> str:
    """An object, the settings knowing of its server."""
    bucket = object_store.bucket()
    object_store.client().upload_file(str(SAMPLE), bucket, "films/jfk.mp4")
    object.__setattr__(settings, "s3_endpoint_url", object_store.url)
    return f"s3://{bucket}/films/jfk.mp4"


def fetched(settings: Settings) -> list[str]:
    return [path.name for path in (settings.scratch_folder / "shown").iterdir() if not path.suffix]


def test_the_doors_find_what_they_need() -> None:
    found = {entry.name: entry.load() for entry in entry_points(group="dubflow.media")}

    assert found == {name: getattr(previews, name) for name in ("audio", "clip", "poster", "waveform")}


def test_an_object_is_fetched_once_for_all_that_is_shown_of_it(film: str, settings: Settings, tmp_path: Path) -> None:
    previews.poster(film, tmp_path / "a.jpg", settings)
    (kept,) = fetched(settings)
    first = (settings.scratch_folder / "shown" / kept).stat()
    previews.clip(film, tmp_path / "a.mp4", settings, start=1.0, seconds=2.0)
    previews.audio(film, tmp_path / "a.m4a", settings)
    previews.waveform(film, tmp_path / "a.json", settings)

    assert fetched(settings) == [kept]
    assert (settings.scratch_folder / "shown" / kept).stat().st_ino == first.st_ino
    assert json.loads((tmp_path / "a.json").read_text())["duration"] == pytest.approx(11.0, abs=0.1)
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("a.jpg", "a.mp4", "a.m4a"))


def test_what_was_not_looked_at_for_longest_makes_room(
    film: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    previews.poster(film, tmp_path / "a.jpg", settings)
    before = fetched(settings)
    monkeypatch.setattr(previews, "KEPT_BYTES", SAMPLE.stat().st_size)
    bucket = film.split("/")[2]
    describe = describe_source(film, s3_endpoint_url=settings.s3_endpoint_url)
    other = film.replace("films", "others")
    client = ObjectStore(settings.s3_endpoint_url, None).client()  # type: ignore[arg-type]
    client.upload_file(str(SAMPLE), bucket, "others/jfk.mp4")

    previews.poster(other, tmp_path / "b.jpg", settings)

    assert len(fetched(settings)) == 1
    assert fetched(settings) != before
    assert describe.size == SAMPLE.stat().st_size


def test_a_file_of_this_machine_is_read_where_it_is(settings: Settings, tmp_path: Path) -> None:
    previews.poster(SAMPLE.as_uri(), tmp_path / "a.jpg", settings)

    assert not (settings.scratch_folder / "shown").exists()


def test_another_version_than_was_asked_for_is_refused(settings: Settings, tmp_path: Path) -> None:
    version = describe_source(SAMPLE).version
    previews.poster(SAMPLE.as_uri(), tmp_path / "a.jpg", settings, version=version)

    with pytest.raises(DubflowError) as refused:
        previews.poster(SAMPLE.as_uri(), tmp_path / "b.jpg", settings, version="another")

    assert refused.value.code is ErrorCode.SOURCE_CHANGED


def test_only_the_latest_downloads_are_kept(tmp_path: Path) -> None:
    for age, name in enumerate(("newest", "newer", "old", "oldest")):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    (tmp_path / "coming.part").write_bytes(bytes(1000))

    fetch.keep_at_most(tmp_path, 250)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["coming.part", "newer", "newest"]
    fetch.keep_at_most(tmp_path / "missing", 0)
