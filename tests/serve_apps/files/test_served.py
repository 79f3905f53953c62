import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_apps.files.served import ServedFile, disposition, media_type


def answer(path: Path, method: str = "GET", **headers: str) -> tuple[dict[str, Any], bytes]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is to be received")

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "headers": raw}
    anyio.run(ServedFile(path, name="a.mp4"), scope, receive, send)
    start, *body = sent
    head = {name.decode(): value.decode() for name, value in start["headers"]}
    assert [piece["more_body"] for piece in body] == [True] * (len(body) - 1) + [False]
    return {"status": start["status"], **head}, b"".join(piece["body"] for piece in body)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film"
    path.write_bytes(os.urandom(700_001))
    return path


def test_a_file_is_sent_whole_or_in_part(film: Path) -> None:
    data = film.read_bytes()

    head, body = answer(film)
    assert (head["status"], head["content-length"], head["accept-ranges"]) == (200, "700001", "bytes")
    assert body == data
    part, body = answer(film, range="bytes=300000-699999")
    assert (part["status"], part["content-range"]) == (206, "bytes 300000-699999/700001")
    assert (part["content-length"], body) == ("400000", data[300_000:700_000])


def test_answers_without_a_body_say_what_it_would_be(film: Path) -> None:
    head, body = answer(film, "HEAD")
    assert (head["status"], head["content-length"], body) == (200, "700001", b"")
    same, body = answer(film, if_none_match=head["etag"])
    assert (same["status"], body, same["etag"]) == (304, b"", head["etag"])
    assert "content-length" not in same
    far, body = answer(film, range="bytes=700001-")
    assert (far["status"], far["content-range"], far["content-length"], body) == (416, "bytes */700001", "0", b"")


def test_a_file_that_is_replaced_meanwhile_is_sent_as_it_was(film: Path, tmp_path: Path) -> None:
    old = film.read_bytes()
    served = ServedFile(film, name="a.mp4")
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "new").replace(film)
    pieces: list[bytes] = []

    async def send(message: Any) -> None:
        pieces.append(message.get("body", b""))

    async def receive() -> Any:
        raise AssertionError

    anyio.run(served, {"type": "http", "method": "GET", "headers": []}, receive, send)
    assert b"".join(pieces) == old


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_names_survive_in_any_script(name: str) -> None:
    header = disposition(name)

    assert header.isascii()
    assert header.isprintable()
    plain, _, extended = header.partition("; filename*=UTF-8''")
    assert unquote(extended) == name
    assert plain.startswith('attachment; filename="')
    assert plain.count('"') == 2


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a", "a.mp4.js"])
def test_what_is_no_media_has_a_type_that_browsers_do_not_show(name: str) -> None:
    assert media_type(name) == "application/octet-stream"
    assert media_type("a.MP4") == "video/mp4"
