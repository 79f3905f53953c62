from typing import Any

import pytest

from cluster.settings import Settings
from serve_apps import models
from serve_apps.application import create_app


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings(_env_file=None)).openapi()  # type: ignore[call-arg]


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, one) for path, methods in document["paths"].items() for method, one in methods.items()]


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(document: dict[str, Any]) -> None:
    names = [one["operationId"] for _, _, one in operations(document)]
    assert len(names) == len(set(names))
    assert all(one["summary"] and one["description"] for _, _, one in operations(document))


def test_every_error_is_a_problem(document: dict[str, Any]) -> None:
    for path, method, one in operations(document):
        for status in ("4XX", "5XX"):
            content = one["responses"][status]["content"]
            assert list(content) == ["application/problem+json"], (path, method)
        assert "422" not in one["responses"], (path, method)


def test_posts_may_be_repeated_and_keys_are_described(document: dict[str, Any]) -> None:
    upload = document["paths"]["/api/v1/upload"]["post"]
    assert "Idempotency-Key" in [parameter["name"] for parameter in upload["parameters"]]
    assert {"bearer": []} in upload["security"]
    assert "security" not in document["paths"]["/livez"]["get"]
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header", "session"}


@pytest.mark.parametrize("name", ["Problem", "Accepted", "JobStatusView", "JobOrder", "LanguageView", "JobOptions"])
def test_examples_are_what_they_are_examples_of(document: dict[str, Any], name: str) -> None:
    kind = getattr(models, name)
    (example,) = kind.model_config["json_schema_extra"]["examples"]
    assert kind.model_validate(example)
    assert document["components"]["schemas"][name]["examples"]
