"""Downloads from servers that break off, hand out slices, change the file, or know nothing of ranges."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cluster.cli.fetching import fetch, safe_name
from cluster.cli.service_client import ServiceClient
from cluster.errors import DubflowError, ErrorCode

CONTENT = bytes(range(256)) * 40
KEY = "secret"


class Files:
    """One file; answers at most `slice` bytes a time, and breaks off after each count in `breaks`."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.slice = len(content)
        self.breaks: list[int] = []
        self.ranges = True
        self.lengths = True
        self.version = 1
        self.sent = 0
        self.moved_to = ""
        self.keys: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.keys.append(request.headers.get("Authorization"))
        if self.moved_to and str(request.url) != self.moved_to:
            return httpx.Response(307, headers={"Location": self.moved_to})
        tag = f'"v{self.version}"'
        start = self._start(request, tag)
        if start is None:
            length = {"Content-Length": str(len(self.content))} if self.lengths else {}
            return httpx.Response(200, headers={"ETag": tag, **length}, stream=self._stream(self.content))
        end = min(start + self.slice, len(self.content))
        if request.headers["Range"] == "bytes=0-0":
            end = 1
        headers = {"ETag": tag, "Content-Range": f"bytes {start}-{end - 1}/{len(self.content)}"}
        return httpx.Response(206, headers=headers, stream=self._stream(self.content[start:end]))

    def _start(self, request: httpx.Request, tag: str) -> int | None:
        if not self.ranges or request.headers.get("If-Range", tag) != tag:
            return None
        return int(request.headers["Range"].removeprefix("bytes=").split("-")[0])

    def _stream(self, content: bytes) -> httpx.SyncByteStream:
        files = self

        class Stream(httpx.SyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                if len(content) > 1 and files.breaks:
                    cut = files.breaks.pop(0)
                    files.sent += len(content[:cut])
                    yield content[:cut]
                    raise httpx.ReadError("connection lost")
                files.sent += len(content)
                yield content

        return Stream()

    def client(self) -> ServiceClient:
        return ServiceClient("http://there", KEY, transport=httpx.MockTransport(self), sleep=lambda _: None)


def get(files: Files, target: Path, url: str = "/api/v1/file") -> list[int]:
    told: list[int] = []
    with files.client() as client:
        fetch(client, url, target, told.append)
    return told


def parts(folder: Path) -> list[Path]:
    return list(folder.glob(".*.part"))


def test_a_file_arrives_whole_and_progress_rises_to_its_end(tmp_path: Path) -> None:
    files, target = Files(), tmp_path / "talk.es.mp4"
    told = get(files, target)
    assert target.read_bytes() == CONTENT
    assert told == sorted(told)
    assert told[-1] == len(CONTENT)
    assert parts(tmp_path) == []


@pytest.mark.parametrize("size", [1, 7, 1000, len(CONTENT) - 1])
def test_slices_are_put_together(tmp_path: Path, size: int) -> None:
    files, target = Files(CONTENT[: 50 * size]), tmp_path / "talk.mp4"
    files.slice = size
    get(files, target)
    assert target.read_bytes() == files.content


def test_a_connection_that_breaks_again_and_again_costs_nothing_twice(tmp_path: Path) -> None:
    files, target = Files(), tmp_path / "talk.mp4"
    files.breaks = [1000, 0, 1, 2000, 500]
    get(files, target)
    assert target.read_bytes() == CONTENT
    assert files.sent == len(CONTENT)


def test_what_arrived_before_the_program_ended_is_used_again(tmp_path: Path) -> None:
    files, target = Files(), tmp_path / "talk.mp4"
    files.breaks = [3000] + [0] * 100
    with pytest.raises(DubflowError) as broken:
        get(files, target)
    assert broken.value.code is ErrorCode.STORAGE_FAILED
    assert not target.exists()
    files.breaks, files.sent = [], 0
    get(files, target)
    assert target.read_bytes() == CONTENT
    assert files.sent == len(CONTENT) - 3000


def test_versions_are_never_mixed(tmp_path: Path) -> None:
    files, target = Files(), tmp_path / "talk.mp4"
    files.breaks = [3000] + [0] * 100
    with pytest.raises(DubflowError):
        get(files, target)
    files.version, files.content, files.breaks = 2, CONTENT[::-1], []
    get(files, target)
    assert target.read_bytes() == CONTENT[::-1]


def test_a_file_that_changes_on_the_way_is_told(tmp_path: Path) -> None:
    files, target = Files(), tmp_path / "talk.mp4"
    files.slice = 1000
    with files.client() as client, pytest.raises(DubflowError, match="changed while"):
        fetch(client, "/api/v1/file", target, lambda done: setattr(files, "version", 1 + (done > 2000)))
    assert not target.exists()


def test_a_server_without_ranges_is_read_from_the_start(tmp_path: Path) -> None:
    files, target = Files(), tmp_path / "talk.mp4"
    files.ranges = False
    get(files, target)
    assert target.read_bytes() == CONTENT


def test_a_file_of_unknown_length_is_never_taken_for_whole(tmp_path: Path) -> None:
    files, target = Files(), tmp_path / "talk.mp4"
    files.ranges = files.lengths = False
    with pytest.raises(DubflowError, match="how long"):
        get(files, target)
    assert not target.exists()


def test_the_way_on_to_an_object_store_is_followed_without_the_key(tmp_path: Path) -> None:
    files, target = Files(), tmp_path / "talk.mp4"
    files.moved_to = "http://bucket.elsewhere/talk?signature=x"
    get(files, target, "/api/v1/jobs/1/download?redirect=1")
    assert target.read_bytes() == CONTENT
    assert set(files.keys[::2]) == {f"Bearer {KEY}"}
    assert set(files.keys[1::2]) == {None}


def test_a_server_that_sends_in_circles_is_left(tmp_path: Path) -> None:
    files = Files()
    files.moved_to = "http://elsewhere/never reached"
    with pytest.raises(DubflowError, match="in circles"):
        get(files, tmp_path / "talk.mp4")


@pytest.mark.parametrize(
    ("name", "safe"), [("talk.es.mp4", "talk.es.mp4"), ("../../etc/passwd", "passwd"), ("a\\b.srt", "b.srt")]
)
def test_names_stay_within_the_folder(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", ["", "/", "..", "a/..", "talk\n.mp4", "nul\0.mp4"])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(DubflowError):
        safe_name(name)
