import base64
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.blobs.contract import BlobStore
from cluster.blobs.local import LocalBlobs
from serve_apps.files.links import Linked, Links


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return LocalBlobs(tmp_path / "blobs")


def test_all_who_share_a_store_read_the_same_links(tmp_path: Path, blobs: BlobStore) -> None:
    later = time.time() + 60
    for path in (tmp_path / "blobs" / "results" / "a b.mp4", Path("/elsewhere/ü.mp4")):
        token = Links(blobs).sign(Linked(path, "Käse.mp4"), later)

        assert Links(LocalBlobs(tmp_path / "blobs")).read(token) == Linked(path, "Käse.mp4")
        assert Links(LocalBlobs(tmp_path / "others")).read(token) is None


def test_a_link_to_a_blob_does_not_tell_where_the_store_is(tmp_path: Path, blobs: BlobStore) -> None:
    token = Links(blobs).sign(Linked(tmp_path / "blobs" / "results" / "a.mp4", "a.mp4"), 1e10)

    assert str(tmp_path).encode() not in base64.urlsafe_b64decode(token)


def test_a_link_expires(blobs: BlobStore) -> None:
    links = Links(blobs)
    file = Linked(Path("/a.mp4"), "a.mp4")

    assert links.read(links.sign(file, time.time() + 5)) == file
    assert links.read(links.sign(file, time.time() - 1)) is None


@given(st.data())
@settings(max_examples=200)
def test_a_link_with_any_other_character_is_none(blobs: BlobStore, data: st.DataObject) -> None:
    links = Links(blobs)
    token = links.sign(Linked(Path("/a.mp4"), "a.mp4"), 1e10)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_=+/ é"))

    changed = token[:at] + other + token[at + 1 :]

    assert changed == token or links.read(changed) is None


@pytest.mark.parametrize("token", ["", "A", "AAAA", "é", "A" * 8000, "..", "%00"])
def test_what_was_never_a_link_is_none(blobs: BlobStore, token: str) -> None:
    assert Links(blobs).read(token) is None
