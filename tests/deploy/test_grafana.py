"""Dashboards ask only for what the code exports, under labels that it has."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cluster import metrics
from cluster.metrics import Counter, Gauge, Histogram

DASHBOARDS = sorted((Path(__file__).parents[2] / "deploy" / "grafana").glob("*.json"))
METRICS = [one for one in vars(metrics).values() if isinstance(one, Counter | Gauge | Histogram)]
OF_RAY = {"SessionName", "le"}
SELECTOR = re.compile(r"(ray_\w+)\{([^}]*)\}")
LABEL = re.compile(r"(\w+)\s*(?:=~|!=|=)")


def exported() -> dict[str, set[str]]:
    """Series by name, with their labels, as Prometheus gets them from Ray."""
    series: dict[str, set[str]] = {}
    for metric in METRICS:
        match metric:
            case Counter():
                suffixes = ["_total"]
            case Gauge():
                suffixes = [""]
            case Histogram():
                suffixes = ["_bucket", "_sum", "_count"]
        for suffix in suffixes:
            series[f"ray_{metric.name}{suffix}"] = set(metric.labels) | OF_RAY
    return series


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions(dashboard: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in panels(dashboard) for target in panel["targets"]]


@pytest.fixture(params=DASHBOARDS, ids=lambda path: path.name)
def dashboard(request: pytest.FixtureRequest) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(request.param.read_text(encoding="utf-8"))
    return document


def test_there_are_dashboards_and_metrics() -> None:
    assert DASHBOARDS
    assert len(METRICS) > 5


def test_every_series_is_exported_by_the_code_with_these_labels(dashboard: dict[str, Any]) -> None:
    known = exported()
    for expression in expressions(dashboard):
        found = SELECTOR.findall(expression)
        assert found, expression
        assert len(found) == expression.count("ray_"), f"a series without a selector: {expression}"
        for name, labels in found:
            assert name in known, f"no metric is exported as {name}"
            assert set(LABEL.findall(labels)) <= known[name], expression
        grouped = {label for names in re.findall(r"by \(([^)]*)\)", expression) for label in names.split(", ")}
        for name, _ in found:
            if grouped & known[name]:
                assert grouped <= known[name], expression
        assert expression.count("(") == expression.count(")"), expression


def test_all_metrics_of_the_code_are_shown_somewhere() -> None:
    shown = " ".join(path.read_text(encoding="utf-8") for path in DASHBOARDS)
    missing = [metric.name for metric in METRICS if f"ray_{metric.name}" not in shown]
    assert missing == []


def test_panels_are_told_apart_explained_and_do_not_overlap(dashboard: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    for panel in panels(dashboard):
        assert panel["title"]
        assert panel["description"]
        names = {variable["name"] for variable in dashboard["templating"]["list"]}
        assert panel["datasource"]["uid"] == "${datasource}"
        assert {"datasource", "session"} <= names
