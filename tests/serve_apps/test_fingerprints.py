import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Message

from cluster.errors import DubflowError, ErrorCode
from serve_apps.fingerprints import Fingerprint, FingerprintedBody


def connection(path: str = "/api/v1/upload", kind: str = "application/json", query: str = "") -> HTTPConnection:
    headers = [(b"content-type", kind.encode()), (b"host", b"127.0.0.1")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": query.encode(), "headers": headers}
    return HTTPConnection({**scope, "root_path": "", "scheme": "http", "server": ("127.0.0.1", 80)})


def fingerprint(pieces: Sequence[bytes], of: HTTPConnection) -> str:
    found = Fingerprint(of)
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


def form(boundary: str, content: bytes, name: str = "a.mp4") -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    return b"".join([head, content, f"\r\n--{boundary}--\r\n".encode()])


def multipart(boundary: str) -> HTTPConnection:
    return connection(kind=f"multipart/form-data; boundary={boundary}")


def cut(whole: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(whole), *(place % (len(whole) + 1) for place in places)})
    return [whole[start:end] for start, end in pairwise(edges)]


places = st.lists(st.integers(0, 10_000), max_size=30)
boundaries = st.text("-ab1", min_size=1, max_size=6)
contents = st.text("-ab1\r\n", max_size=60).map(str.encode)


@given(contents, places)
def test_how_a_body_is_cut_into_pieces_does_not_matter(content: bytes, places: list[int]) -> None:
    assert fingerprint(cut(content, places), connection()) == fingerprint([content], connection())


@given(contents, boundaries, places)
def test_how_a_form_is_cut_into_pieces_does_not_matter(content: bytes, boundary: str, places: list[int]) -> None:
    body = form(boundary, content)

    assert fingerprint(cut(body, places), multipart(boundary)) == fingerprint([body], multipart(boundary))


@given(st.binary(max_size=200), places)
def test_a_form_that_is_sent_again_has_another_boundary_and_is_the_same(content: bytes, places: list[int]) -> None:
    first, again = "----7dfa6e0c8f1b4d3c", "----c1f2a99e5b3a4477"

    assert fingerprint([form(first, content)], multipart(first)) == fingerprint(
        cut(form(again, content), places), multipart(again)
    )


@pytest.mark.parametrize(
    "other",
    [
        (b"{}", connection(path="/api/v1/jobs")),
        (b"{}", connection(query="x=1")),
        (b"{}", connection(kind="text/plain")),
        (b"{ }", connection()),
        (b"", connection()),
    ],
)
def test_whatever_else_differs_makes_another_request(other: tuple[bytes, HTTPConnection]) -> None:
    assert fingerprint([other[0]], other[1]) != fingerprint([b"{}"], connection())


def test_forms_with_other_contents_or_names_are_others() -> None:
    first = fingerprint([form("b", b"content")], multipart("b"))

    assert fingerprint([form("b", b"contenT")], multipart("b")) != first
    assert fingerprint([form("b", b"content", "b.mp4")], multipart("b")) != first
    assert fingerprint([form("b", b"content")], multipart("c")) != first


class Body:
    """A body that arrives piece by piece; `asked` counts how many were."""

    def __init__(self, pieces: Sequence[bytes], *, broken_off: bool = False) -> None:
        self._messages: list[Message] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        if not broken_off:
            self._messages[-1]["more_body"] = False
        self.asked = 0

    async def receive(self) -> Message:
        self.asked += 1
        return self._messages.pop(0) if self._messages else {"type": "http.disconnect"}


async def accept(_fingerprint: str) -> None:
    pass


async def refuse(_fingerprint: str) -> None:
    raise DubflowError(ErrorCode.INVALID_REQUEST, "another body")


def test_pieces_pass_through_one_by_one() -> None:
    async def read() -> None:
        source = Body([b"a", b"b", b"c"])
        body = FingerprintedBody(connection(), source.receive, accept)
        for count, piece in enumerate((b"a", b"b", b"c"), 1):
            assert (await body.receive())["body"] == piece
            assert source.asked == count
        assert (await body.receive())["type"] == "http.disconnect"
        assert await body.read_through() == fingerprint([b"abc"], connection())

    asyncio.run(read())


def test_the_last_piece_of_a_refused_body_reaches_nobody() -> None:
    async def read() -> None:
        body = FingerprintedBody(connection(), Body([b"a", b"b"]).receive, refuse)
        await body.begin()
        got = [await body.receive() for _ in range(3)]
        assert [message["type"] for message in got] == ["http.request", "http.disconnect", "http.disconnect"]
        with pytest.raises(DubflowError, match="another body"):
            body.require_accepted()

    asyncio.run(read())


def test_a_body_in_one_piece_is_refused_before_anybody_reads_it() -> None:
    async def read() -> None:
        body = FingerprintedBody(connection(), Body([b""]).receive, refuse)
        with pytest.raises(DubflowError, match="another body"):
            await body.begin()

    asyncio.run(read())


def test_what_a_route_has_not_read_is_read_through() -> None:
    async def read() -> None:
        body = FingerprintedBody(connection(), Body([b"a", b"b", b"c"]).receive, accept)
        await body.begin()
        assert await body.read_through() == fingerprint([b"abc"], connection())

    asyncio.run(read())


def test_a_body_that_is_broken_off_has_no_fingerprint() -> None:
    async def read() -> None:
        body = FingerprintedBody(connection(), Body([b"a"], broken_off=True).receive, accept)
        await body.begin()
        with pytest.raises(ClientDisconnect):
            await body.read_through()

    asyncio.run(read())
