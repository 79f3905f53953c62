"""Calls of a service that is slow, away, restarted, broken or something else altogether."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from cluster.cli.app import EXIT_ENVIRONMENT, exit_code
from cluster.cli.service_client import ServiceClient, connect
from cluster.errors import DubflowError, ErrorCode

Answer = httpx.Response | Exception
PROBLEM = {"content-type": "application/problem+json"}


class Service:
    """Gives prepared answers, the last of them for ever; remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def client(self, key: str = "") -> ServiceClient:
        return ServiceClient("http://there", key, transport=httpx.MockTransport(self), sleep=self.pauses.append)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Patience ends as if every look at the clock took a second."""
    ticks = iter(range(10_000))
    monkeypatch.setattr("cluster.cli.service_client.time.monotonic", lambda: float(next(ticks)))
    return


def problem(status: int, code: str, *, retryable: bool = False, **headers: str) -> httpx.Response:
    body = {"code": code, "detail": f"words about {code}", "retryable": retryable, "request_id": "r-1"}
    return httpx.Response(status, headers=PROBLEM | headers, json=body)


def test_what_the_service_says_is_the_error() -> None:
    with Service(problem(404, "not_found")).client() as client, pytest.raises(DubflowError) as caught:
        client.get("/jobs/x")
    assert (caught.value.code, caught.value.message) == (ErrorCode.NOT_FOUND, "words about not_found")


def test_an_internal_error_names_the_request_and_is_not_repeated() -> None:
    service = Service(problem(500, "internal"))
    with service.client() as client, pytest.raises(DubflowError, match=r"\(request r-1\)"):
        client.get("/jobs")
    assert len(service.asked) == 1


def test_a_code_of_a_newer_service_is_shown() -> None:
    with Service(problem(409, "out_of_tape")).client() as client, pytest.raises(DubflowError) as caught:
        client.get("/jobs")
    assert caught.value.code is ErrorCode.CONFLICT
    assert "out_of_tape" in caught.value.message


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("closed without an answer"),
        httpx.Response(500, text="Internal Server Error"),
        httpx.Response(502, text="<html>Bad Gateway</html>"),
        problem(503, "database_failed", retryable=True),
        problem(409, "conflict", **{"retry-after": "1"}),
        problem(429, "rate_limited", retryable=True, **{"retry-after": "1"}),
    ],
    ids=str,
)
def test_what_passes_is_waited_for_under_one_idempotency_key(trouble: Answer) -> None:
    service = Service(trouble, trouble, httpx.Response(202, json={"job_id": "j"}))
    with service.client("secret") as client:
        assert client.post("/jobs", {"a": 1}) == {"job_id": "j"}
    assert len({request.headers["idempotency-key"] for request in service.asked}) == 1
    assert {request.content for request in service.asked} == {b'{"a":1}'}
    assert len(service.pauses) == 2


def test_two_wishes_have_two_idempotency_keys() -> None:
    service = Service(httpx.Response(202, json={}))
    with service.client() as client:
        client.post("/jobs")
        client.post("/jobs")
    assert len({request.headers["idempotency-key"] for request in service.asked}) == 2


def test_a_limit_that_lasts_longer_than_patience_is_told_at_once() -> None:
    service = Service(problem(429, "rate_limited", retryable=True, **{"retry-after": "3600"}))
    with service.client() as client, pytest.raises(DubflowError) as caught:
        client.post("/jobs")
    assert caught.value.code is ErrorCode.RATE_LIMITED
    assert service.pauses == []


def test_a_pause_that_the_service_asks_for_is_kept() -> None:
    service = Service(
        problem(429, "rate_limited", retryable=True, **{"retry-after": "2"}), httpx.Response(200, json={})
    )
    with service.client() as client:
        client._answered = True
        client.get("/jobs")
    assert service.pauses[0] >= 2


@pytest.mark.usefixtures("hurry")
def test_a_service_that_is_not_there_is_one_clear_line() -> None:
    service = Service(httpx.ConnectError("[Errno 111] Connection refused"))
    with service.client() as client, pytest.raises(DubflowError) as caught:
        client.get("/jobs")
    assert caught.value.message.startswith("no service answers at http://there ([Errno 111] Connection refused); start")
    assert exit_code(caught.value) == EXIT_ENVIRONMENT
    never = len(service.asked)
    service.answers = [httpx.Response(200, json={}), httpx.ConnectError("gone")]
    service.asked.clear()
    with service.client() as client:
        client.get("/jobs")
        with pytest.raises(DubflowError):
            client.get("/jobs")
    assert len(service.asked) > 5 * never, "one that answered before is waited for longer"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (httpx.Response(200, text="<html>another program</html>"), ErrorCode.ENVIRONMENT),
        (httpx.Response(200, json=["a", "list"]), ErrorCode.ENVIRONMENT),
        (httpx.Response(404, text="nginx"), ErrorCode.NOT_FOUND),
        (httpx.Response(401, text=""), ErrorCode.UNAUTHORIZED),
        (httpx.Response(405, text=""), ErrorCode.ENVIRONMENT),
    ],
)
def test_another_program_on_the_port_is_told(answer: httpx.Response, code: ErrorCode) -> None:
    with Service(answer).client() as client, pytest.raises(DubflowError) as caught:
        client.get("/jobs")
    assert caught.value.code is code
    assert "DUBFLOW_SERVICE_URL" in caught.value.message


def test_the_key_goes_to_the_service_and_nowhere_else() -> None:
    service = Service(httpx.Response(200, json={}))
    with service.client("secret") as client:
        client.get("/jobs", status=None, limit=3)
        client.call("PUT", "http://bucket.elsewhere/part?signature=x", content=b"bytes")
    ours, theirs = service.asked
    assert str(ours.url) == "http://there/api/v1/jobs?limit=3"
    assert ours.headers["authorization"] == "Bearer secret"
    assert str(theirs.url) == "http://bucket.elsewhere/part?signature=x"
    assert "authorization" not in theirs.headers


@pytest.mark.parametrize("address", ["", "there", "http://", "http://a b:x", "ftp://there"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    def ask() -> Any:
        with ServiceClient(address) as client:
            return client.get("/jobs")

    with pytest.raises(DubflowError):
        ask()


def test_settings_and_options_name_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    def of(server: str | None = None) -> str:
        with connect(server) as client:
            return client.address

    def choose(value: str) -> None:
        monkeypatch.setenv("DUBFLOW_SERVICE_URL", value)

    monkeypatch.delenv("DUBFLOW_SERVICE_URL", raising=False)
    assert of() == "http://127.0.0.1:8000"
    choose("https://dub.example/")
    assert of() == "https://dub.example"
    assert of("http://other") == "http://other"
