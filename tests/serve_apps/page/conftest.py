"""A real browser before the real application; whatever the page complains about fails the test."""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.fixtures.databases import empty
from tests.fixtures.doors import service_settings
from tests.fixtures.media import Picture, Track, tone, write
from tests.fixtures.sites import LANGUAGES, Site

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
SECONDS = 6
_VIOLATIONS = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => {
      window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
    });
"""


expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the whole session: while it is open, an event loop counts as running in this thread."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Site]:
    """One service for all tests of a file; `site` is the same, with nothing in it."""
    home = tmp_path_factory.mktemp("home")
    made = Site(service_settings(home, f"sqlite:///{shutil.copy(sqlite_template, home / 'ledger.sqlite')}"))
    made.start()
    yield made
    made.close()


@pytest.fixture
def site(served: Site) -> Site:
    empty(served.settings.database)
    served.ledger.replace_languages(LANGUAGES)
    return served


@dataclass
class Visits:
    """Opens pages, and hears what goes wrong in them."""

    browser: Browser
    complaints: list[str] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    expected: str = "$^"
    """What may be complained about: a network that a test breaks makes the browser say so."""

    def __call__(self, url: str, **context: Any) -> Page:
        # Without a graphics card every frame of an animation costs a core, which the service under test needs.
        values: dict[str, Any] = {
            "viewport": {"width": 1280, "height": 900},
            "locale": "en-GB",
            "reduced_motion": "reduce",
        }
        opened = self.browser.new_context(**(values | context))
        opened.set_default_timeout(60_000)
        page = opened.new_page()
        page.add_init_script(_VIOLATIONS)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on(
            "console", lambda told: self.complaints.append(told.text) if told.type in {"error", "warning"} else None
        )
        page.goto(url)
        self.pages.append(page)
        return page

    def close(self) -> None:
        found = [violation for page in self.pages for violation in page.evaluate("window.violations")]
        for page in self.pages:
            page.context.close()
        assert found == []
        assert [text for text in self.complaints if not re.search(self.expected, text)] == []


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visits]:
    visits = Visits(browser)
    yield visits
    visits.close()


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds with a deep tone."""
    return _film(tmp_path_factory, "original.mp4", 220.0)


@pytest.fixture(scope="session")
def dubbed_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same picture with a high tone."""
    return _film(tmp_path_factory, "dubbed.mp4", 880.0)


@pytest.fixture(scope="session")
def large_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of several parts of an upload: what follows the index belongs to nothing, as players allow."""
    path = _film(tmp_path_factory, "large.mp4", 220.0)
    with path.open("ab") as file:
        size = 20 * 1024 * 1024
        file.write(size.to_bytes(4, "big") + b"free")
        file.write(np.random.default_rng(1).bytes(size - 8))
    return path


def _film(factory: pytest.TempPathFactory, name: str, hertz: float) -> Path:
    return write(
        factory.mktemp("films") / name, Picture(SECONDS, width=320, height=180), [Track(tone(SECONDS, hertz=hertz))]
    )


def until(locator: Locator, condition: str) -> None:
    """Wait until a condition holds for an element; by asking, for the page's policy forbids playwright's own way."""
    end = time.monotonic() + 60
    while not locator.evaluate(f"one => {condition}"):
        assert time.monotonic() < end, condition
        time.sleep(0.02)
