import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes on a machine that does other things as well says nothing about the code, and fixtures that
# examples share are meant so. A test that names checks of its own would bring the others back.
settings.register_profile(
    "shared machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("shared machine")

pytest_plugins = [
    "tests.fixtures.accounts",
    "tests.fixtures.databases",
    "tests.fixtures.flows",
    "tests.fixtures.measured",
    "tests.fixtures.object_store",
    "tests.fixtures.run_fixture",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What may take long is begun first: at the end of a run no worker is left alone with it."""
    items.sort(key=_seconds_allowed, reverse=True)


def _seconds_allowed(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0


@pytest.fixture(autouse=True)
def _ordinary_priority() -> Iterator[None]:
    """A process with real-time priority starves the clusters and servers of all tests after it."""
    yield
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
