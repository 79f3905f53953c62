"""All of it at once, as a creator meets it: a real `dubflow serve`, a real browser, a real clip."""

from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from playwright.sync_api import expect

from tests.fixtures.services import Service, running_service
from tests.serve_apps.page.conftest import Visits, until

SAMPLE = Path(__file__).parents[3] / "samples" / "jfk.mp4"
PATIENCE = 240_000

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service"), profile="lite") as running:
        yield running


def test_a_clip_is_dropped_dubbed_played_corrected_and_taken_away(service: Service, visit: Visits) -> None:
    page = visit(service.url)
    page.set_input_files("section.drop input[type=file]", str(SAMPLE))
    page.get_by_role("combobox", name="Dub into").wait_for()
    page.keyboard.type("Spanish")
    expect(page.get_by_role("option", name="Spanish")).to_be_visible()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Start dubbing").click()
    page.get_by_role("link", name="jfk.mp4").click()
    expect(page.get_by_role("list", name="Steps")).to_be_visible()
    expect(page.get_by_role("button", name="Download")).to_be_visible(timeout=PATIENCE)

    until(page.locator("video"), "one.readyState >= 2 && one.duration > 10 && one.duration < 12")
    page.get_by_role("button", name="Play", exact=True).click()
    until(page.locator("video"), "one.currentTime > 0.3 && !one.paused")
    page.get_by_role("radio", name="Original").click()
    until(page.locator("audio"), "!one.muted && one.currentTime > 0.3")

    lines = page.locator(".line")
    expect(lines.first).to_be_visible()
    spoken = lines.first.locator(".line-target")
    assert spoken.text_content()
    spoken.click()
    page.get_by_role("textbox", name="Translation").fill("Queridos compatriotas.")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Dub changes").click()
    expect(page.locator(".line.changed")).to_have_count(0, timeout=PATIENCE)
    expect(spoken).to_have_text("Queridos compatriotas.")
    expect(page.get_by_role("status").filter(has_text="Done")).to_be_visible()

    page.get_by_role("button", name="Download").click()
    with page.expect_download() as saved:
        page.get_by_role("menuitem", name="Video").first.click()
    assert saved.value.suggested_filename == "jfk.es.mp4"
    with av.open(str(saved.value.path())) as film:
        assert [stream.metadata["language"] for stream in film.streams.audio] == ["spa", "eng"]
    page.goto(service.url)
    expect(page.locator(".row:not([aria-hidden])")).to_contain_text("Done")
    until(page.locator(".poster img"), "one.naturalWidth > 0")
