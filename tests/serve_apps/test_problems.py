from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

from cluster.errors import DubflowError, ErrorCode
from serve_apps.application import create_app
from serve_apps.problems import MEDIA_TYPE, STATUS, ProblemError
from tests.fixtures.doors import service_settings

FIELDS = {"type", "title", "status", "detail", "instance", "code", "retryable", "request_id", "errors"}


class Order(BaseModel):
    count: int


@pytest.fixture
def app(tmp_path: Path, sqlite_url: str) -> FastAPI:
    return create_app(service_settings(tmp_path, sqlite_url))


def raising(error: Exception) -> Callable[[], None]:
    def route() -> None:
        raise error

    return route


def client(app: FastAPI) -> TestClient:
    return TestClient(app, raise_server_exceptions=False)


def test_every_code_has_a_status() -> None:
    assert set(STATUS) == set(ErrorCode)


@pytest.mark.parametrize("code", ErrorCode)
def test_an_error_of_any_code_is_a_problem(app: FastAPI, code: ErrorCode) -> None:
    app.get("/broken")(raising(DubflowError(code, "what happened; what to do")))
    answer = client(app).get("/broken")
    assert answer.status_code == STATUS[code]
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert set(answer.json()) == FIELDS
    assert answer.json()["code"] == code
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_an_unforeseen_error_tells_nothing(app: FastAPI) -> None:
    app.get("/broken")(raising(ValueError("password=hunter2")))
    answer = client(app).get("/broken", headers={"X-Request-Id": "mine-1"})
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "mine-1"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("code", [ErrorCode.DATABASE_FAILED, ErrorCode.STORAGE_FAILED, ErrorCode.ENVIRONMENT])
def test_messages_for_operators_stay_with_operators(app: FastAPI, code: ErrorCode) -> None:
    app.get("/broken")(raising(DubflowError(code, "postgresql://admin@10.0.0.7/ledger refused")))
    answer = client(app).get("/broken")
    assert "10.0.0.7" not in answer.text
    assert answer.headers["retry-after"] == "5"


def test_an_error_may_choose_status_headers_and_fields(app: FastAPI) -> None:
    error = ProblemError(
        ErrorCode.RATE_LIMITED, "too many", headers={"Retry-After": "7"}, errors=[{"field": "a", "message": "b"}]
    )
    app.get("/broken")(raising(error))
    answer = client(app).get("/broken")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json()["errors"] == [{"field": "a", "message": "b"}]


def test_a_body_that_is_not_valid_names_the_field_and_does_not_repeat_it(app: FastAPI) -> None:
    @app.post("/orders")
    def order(order: Order) -> None: ...

    answer = client(app).post("/orders", json={"count": "<script>"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["field"] == "body.count"
    assert "<script>" not in answer.text


def test_unknown_paths_and_methods_are_problems(app: FastAPI) -> None:
    missing, wrong = client(app).get("/nowhere"), client(app).post("/livez")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"], wrong.headers["allow"]) == (405, "invalid_request", "GET")


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, 'a"b'])
def test_request_ids_that_could_break_a_log_are_replaced(app: FastAPI, sent: str) -> None:
    answer = client(app).get("/livez", headers={"X-Request-Id": sent})
    assert len(answer.headers["x-request-id"]) == 32
