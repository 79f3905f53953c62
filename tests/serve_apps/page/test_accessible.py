"""Everybody can use the page: with a screen reader, on a phone, with large text, without motion."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from cluster.ledger.records import Stage
from tests.fixtures.sites import Dub, Line, Site
from tests.serve_apps.page.conftest import Visits

LONG = "Donaudampfschifffahrtsgesellschaftskapitän" * 2
LINES = (
    Line(0.4, 1.8, "Hello there.", "Hola.", flags=("overflow",)),
    Line(2.0, 3.4, LONG, LONG, "S2", 1.27),
)
FAULTS = Path(__file__).with_name("faults.js").read_text(encoding="utf-8")


@pytest.fixture
def filled(site: Site, film: Path, dubbed_film: Path) -> str:
    """A library in which much is going on; gives the address of a finished job."""
    done = Dub(site, film, f"{LONG}.mp4", ("es", "ca")).completed(LINES, dubbed_film)
    Dub(site, film, "running.mp4", ("es", "ca", "ar")).at(Stage.SYNTHESIS)
    Dub(site, film, "waiting.mp4").submitted()
    return f"{site.url}/jobs/{done.id}"


def faults(page: Page) -> Any:
    return page.evaluate(FAULTS)


def overflow(page: Page) -> int:
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


def library(page: Page) -> Page:
    expect(page.locator(".row a.row-name")).to_have_count(3)
    return page


def script(page: Page) -> Page:
    expect(page.locator(".line")).to_have_count(2)
    return page


def test_everything_has_a_role_and_a_name(site: Site, visit: Visits, filled: str, film: Path) -> None:
    page = library(visit(site.url))
    assert faults(page) == []
    page.set_input_files("section.drop input[type=file]", str(film))
    expect(page.get_by_role("dialog")).to_be_visible()
    assert faults(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert faults(page) == []
    page.goto(filled)
    script(page)
    page.locator(".line-target").first.click()
    page.get_by_role("button", name="Download").click()
    assert faults(page) == []
    running = site.ledger.jobs().jobs[1]
    page.goto(f"{site.url}/jobs/{running.id}")
    expect(page.get_by_role("list", name="Steps")).to_be_visible()
    assert faults(page) == []


@pytest.mark.parametrize("screen", [(360, "100%"), (1280, "200%"), (720, "200%")])
def test_nothing_is_wider_than_the_screen(
    site: Site, visit: Visits, filled: str, film: Path, screen: tuple[int, str]
) -> None:
    width, text = screen
    page = library(visit(site.url, viewport={"width": width, "height": 740}))
    page.evaluate("size => { document.documentElement.style.fontSize = size; }", text)
    assert overflow(page) == 0
    page.set_input_files("section.drop input[type=file]", str(film))
    expect(page.get_by_role("dialog")).to_be_visible()
    page.wait_for_timeout(250)
    box = page.get_by_role("button", name="Start dubbing").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    page.goto(filled)
    script(page)
    page.evaluate("size => { document.documentElement.style.fontSize = size; }", text)
    page.locator(".line-target").last.click()
    assert overflow(page) == 0


def test_focus_is_seen_wherever_it_goes(site: Site, visit: Visits, filled: str) -> None:
    page = script(visit(filled))
    seen = set()
    for _ in range(25):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "() => { const one = document.activeElement;"
            " return [one.getAttribute('aria-label') || one.textContent, getComputedStyle(one).outlineStyle]; }"
        )
        if page.evaluate("document.activeElement !== document.body"):
            assert outline == "solid", name
            seen.add(name.strip())
    assert {"dubflow", "Download", "More", "Play", "Dub", "Speed", "Position in the video", "Search the script"} <= seen


def test_what_happens_is_announced(site: Site, visit: Visits, filled: str) -> None:
    page = library(visit(site.url))
    live = page.locator("#announcements")
    expect(live).to_have_attribute("aria-live", "polite")
    running = site.ledger.jobs().jobs[1]
    page.get_by_role("link", name="running.mp4").click()
    expect(page.get_by_text("Speaking the lines")).to_be_visible()
    site.ledger.cancel(running.id)
    expect(page.get_by_role("status").filter(has_text="Cancelled")).to_be_visible()


def test_motion_and_theme_follow_the_system(site: Site, visit: Visits, filled: str) -> None:
    page = library(visit(site.url, color_scheme="dark", reduced_motion="reduce"))
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(17, 19, 23)"
    assert page.locator(".drop").evaluate("one => getComputedStyle(one).transitionDuration") == "0s"
    page.emulate_media(color_scheme="light")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(247, 247, 248)"
