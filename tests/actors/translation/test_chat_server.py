"""The client against a real server on the loopback interface."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any

import pytest

from actors.contracts.engine import EngineError
from actors.translation import chat_server
from actors.translation.chat import Chat
from actors.translation.chat_server import ATTEMPTS, ChatServer

CHAT = Chat("Translate.", '{"lines": []}', {"type": "object"}, tokens=50)
Reply = tuple[int, dict[str, str], str]


def said(text: object) -> Reply:
    return 200, {}, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]})


@contextmanager
def serving(reply: Callable[[int], Reply]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    seen: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append({"path": self.path, "key": self.headers.get("Authorization"), "body": body})
            status, headers, text = reply(len(seen))
            if status == 0:  # hang up without an answer
                self.close_connection = True
                return
            payload = text.encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(payload))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_server, "_FIRST_WAIT_SECONDS", 0.01)


def ask(url: str, *chats: Chat, **more: Any) -> list[str]:
    async def answers() -> list[str]:
        server = ChatServer(url, "tiny", **more)
        try:
            return list(await asyncio.gather(*map(server.answer, chats or (CHAT,))))
        finally:
            await server.close()

    return asyncio.run(answers())


def test_a_question_is_sent_as_servers_want_it() -> None:
    with serving(lambda _count: said("yes")) as (url, seen):
        assert ask(url + "/", key="secret", extra={"top_k": 1}) == ["yes"]
    (request,) = seen
    assert request["path"] == "/v1/chat/completions"
    assert request["key"] == "Bearer secret"
    assert request["body"]["messages"] == [
        {"role": "system", "content": "Translate."},
        {"role": "user", "content": '{"lines": []}'},
    ]
    assert (request["body"]["model"], request["body"]["max_tokens"], request["body"]["top_k"]) == ("tiny", 50, 1)
    assert request["body"]["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_a_server_that_refuses_schemas_is_not_sent_any() -> None:
    with serving(lambda _count: said("yes")) as (url, seen):
        ask(url, structured=False)
    assert "response_format" not in seen[0]["body"]
    assert seen[0]["key"] is None


@pytest.mark.parametrize("status", [429, 500, 503, 0])
def test_a_busy_server_is_asked_again(status: int) -> None:
    with serving(lambda count: said("yes") if count == 3 else (status, {}, "busy")) as (url, seen):
        assert ask(url) == ["yes"]
    assert len(seen) == 3


def test_a_server_that_stays_busy_is_given_up_for_now() -> None:
    with serving(lambda _count: (503, {}, "still loading")) as (url, seen), pytest.raises(EngineError) as gone:
        ask(url)
    assert len(seen) == ATTEMPTS
    assert gone.value.retryable
    assert "still loading" in str(gone.value)


def test_a_server_that_is_away_is_told_so() -> None:
    with serving(lambda _count: said("yes")) as (url, _seen):
        pass
    with pytest.raises(EngineError, match="see whether it is up") as gone:
        ask(url)
    assert gone.value.retryable


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_a_refusal_is_final(status: int) -> None:
    refusal = (status, {}, '{"error": "no such model"}')
    with serving(lambda _count: refusal) as (url, seen), pytest.raises(EngineError, match="no such model") as no:
        ask(url)
    assert len(seen) == 1
    assert not no.value.retryable


def test_the_server_says_how_long_to_wait() -> None:
    with serving(lambda count: said("yes") if count == 2 else (429, {"Retry-After": "1"}, "")) as (url, _seen):
        began = monotonic()
        assert ask(url) == ["yes"]
    assert monotonic() - began >= 1.0


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"choices": []}', '{"choices": [{"message": null}]}', "<html>"])
def test_an_answer_in_another_form_is_no_answer(body: str) -> None:
    with serving(lambda _count: (200, {}, body)) as (url, _seen):
        assert ask(url) == [""]


def test_a_model_that_says_nothing_gave_no_answer() -> None:
    with serving(lambda _count: said(None)) as (url, _seen):
        assert ask(url) == [""]


def test_no_more_questions_are_on_their_way_than_allowed() -> None:
    now, most, lock = [0], [0], threading.Lock()

    def reply(_count: int) -> Reply:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.05)
        with lock:
            now[0] -= 1
        return said("yes")

    with serving(reply) as (url, _seen):
        assert ask(url, *[CHAT] * 9, at_once=3) == ["yes"] * 9
    assert most[0] <= 3
