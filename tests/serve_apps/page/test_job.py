"""One job before the real service: watched, compared, corrected, taken away."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from cluster.errors import ErrorCode
from cluster.ledger.records import Failure, Job, JobStatus, PartId, Stage
from tests.fixtures.sites import Dub, Line, Site
from tests.serve_apps.page.conftest import SECONDS, Visits, until

LINES = (
    Line(0.4, 1.8, "Hello there.", "Hola."),
    Line(2.0, 3.4, "How have you been?", "¿Cómo ha estado usted?", "S2", 1.27, ("overflow",)),
    Line(4.0, 5.6, "Well, thank you.", "Bien, gracias.", "S1", 1.0, ("low_confidence",)),
)
ARABIC = (Line(0.4, 1.8, "Hello there.", "مرحبا بكم."),)


@pytest.fixture
def job(site: Site, film: Path, dubbed_film: Path) -> Job:
    return Dub(site, film, languages=("es", "ca")).completed(LINES, dubbed_film)


def address(site: Site, job: Job) -> str:
    return f"{site.url}/jobs/{job.id}"


def ready(page: Page) -> Page:
    expect(page.get_by_role("region", name="Script").get_by_role("listitem").first).to_be_visible()
    until(page.locator("video"), "one.readyState >= 2")
    return page


def lines(page: Page) -> list[str]:
    return page.locator(".line:not([hidden]) .line-target").all_text_contents()


def position(page: Page, kind: str = "video") -> float:
    found: float = page.locator(kind).evaluate("one => one.currentTime")
    return found


def test_the_dub_and_the_original_run_on_one_clock(site: Site, visit: Visits, job: Job) -> None:
    page = ready(visit(address(site, job)))
    page.get_by_role("button", name="Play", exact=True).click()
    until(page.locator("video"), "one.currentTime > 0.5 && !one.paused")
    assert page.locator("video").evaluate("one => !one.muted")
    assert page.locator("audio").evaluate("one => one.muted")
    until(page.locator("audio"), "!one.paused && one.readyState >= 2")
    before = position(page)
    page.get_by_role("radio", name="Original").click()
    after, original = page.locator(".screen").evaluate(
        "one => [one.querySelector('video').currentTime, one.querySelector('audio').currentTime]"
    )
    assert page.locator("video").evaluate("one => one.muted")
    assert page.locator("audio").evaluate("one => !one.muted && !one.paused")
    assert 0 <= after - before < 1.5
    assert abs(after - original) < 0.3
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("radio", name="Dub")).to_be_focused()
    expect(page.get_by_role("radio", name="Dub")).to_be_checked()
    page.get_by_role("button", name="Pause").click()
    until(page.locator("audio"), "one.paused")


def test_people_of_a_series_are_called_by_their_names(site: Site, visit: Visits, film: Path, dubbed_film: Path) -> None:
    people = {"S1": {"library": "V3", "name": "Ann <b>"}, "S2": {"library": "V1", "name": ""}}
    job = Dub(site, film, people=people).completed((*LINES, Line(5.6, 5.9, "Yes.", "Sí.", "S3")), dubbed_film)
    page = ready(visit(address(site, job)))
    expect(page.locator(".line .speaker")).to_have_text(["Ann <b>", "V1", "Ann <b>", "Speaker 3"])


def test_another_language_goes_on_at_the_same_moment(site: Site, visit: Visits, job: Job) -> None:
    page = ready(visit(address(site, job)))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    until(page.locator("video"), "Math.abs(one.currentTime - 2) < 0.05")
    page.get_by_label("Language").select_option("ca")
    until(page.locator("video"), "one.src.includes('language=ca') && one.readyState >= 2")
    assert abs(position(page) - 2) < 0.1
    assert page.locator("video").count() == 1


def test_captions_come_with_the_language(site: Site, visit: Visits, job: Job) -> None:
    page = ready(visit(address(site, job)))
    captions = page.get_by_role("button", name="Captions")
    captions.click()
    expect(captions).to_have_attribute("aria-pressed", "true")
    until(page.locator("video"), "one.textTracks[0].mode === 'showing' && one.textTracks[0].cues?.length === 3")
    page.keyboard.press("c")
    expect(captions).to_have_attribute("aria-pressed", "false")


def test_the_timeline_is_a_slider(site: Site, visit: Visits, job: Job) -> None:
    page = ready(visit(address(site, job)))
    slider = page.get_by_role("slider", name="Position in the video")
    expect(slider).to_have_attribute("aria-valuemax", str(SECONDS))
    box = slider.locator("canvas").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 40)
    until(page.locator("video"), "!one.paused && one.currentTime >= 2.9 && one.currentTime < 6")
    page.keyboard.press(" ")
    page.keyboard.press("ArrowUp")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"0:0[02], Speaker [12]: .+"))
    slider.press("Home")
    until(page.locator("video"), "one.currentTime === 0")
    page.get_by_role("button", name="Zoom in").click()
    until(slider.locator(".timeline-scroll"), "one.scrollWidth > 1.9 * one.clientWidth")
    pixels = "one.getContext('2d').getImageData(0, 0, one.width, one.height).data.buffer"
    colours = slider.locator("canvas").evaluate(f"one => new Set(new Uint32Array({pixels})).size")
    assert colours > 20, "both speakers, their waves, the ruler and the playhead"


def test_quality_is_four_numbers_and_the_way_to_the_worst_lines(site: Site, visit: Visits, job: Job) -> None:
    page = ready(visit(address(site, job)))
    quality = page.get_by_role("region", name="Quality")
    expect(quality.locator("dd")).to_have_text(["3 of 3", "97%", "1.12\u00d7", "same"])
    quality.get_by_role("button", name="2 lines worth a look").click()
    assert lines(page) == ["¿Cómo ha estado usted?", "Bien, gracias."]
    expect(page.locator(".flag:visible")).to_have_text(["Longer than its slot", "Heard with little certainty"])
    page.get_by_role("button", name="Show all lines").click()
    assert len(lines(page)) == 3


def test_a_line_is_corrected_taken_back_and_spoken_again(
    site: Site, visit: Visits, job: Job, film: Path, dubbed_film: Path
) -> None:
    page = ready(visit(address(site, job)))
    second = page.locator(".line").nth(1)
    second.hover()
    second.get_by_role("button", name="Edit").click()
    field = page.get_by_role("textbox", name="Translation at 0:02.0")
    expect(second).to_contain_text("22 of about 21 characters: will be spoken fast or run over")
    field.fill("¿Qué tal?")
    expect(second).to_contain_text("9 of about 21 characters")
    page.keyboard.press("Enter")
    expect(second).to_contain_text("changed, not spoken yet")
    expect(page.get_by_text("1 changed line")).to_be_visible()
    assert site.ledger.edits(job.id, "es").texts == {"u0002": "¿Qué tal?"}
    second.get_by_role("button", name="Undo").click()
    expect(second.locator(".line-target")).to_have_text("¿Cómo ha estado usted?")
    expect(page.get_by_text("1 changed line")).to_be_hidden()
    second.locator(".line-target").click()
    field.fill("¿Y usted?")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Dub changes").click()
    expect(second).to_contain_text("being spoken")
    expect(page.get_by_role("radio", name="Dub")).to_be_visible()  # the result from before is still there
    claim = site.ledger.claim("flow")
    assert claim is not None
    spoken = (LINES[0], Line(2.0, 3.4, "How have you been?", "¿Y usted?", "S2"), LINES[2])
    Dub(site, film, languages=("es",)).publish(claim.lease, "es", spoken, dubbed_film)
    expect(second).not_to_contain_text("being spoken")
    expect(second.locator(".line-target")).to_have_text("¿Y usted?")
    expect(page.get_by_text("from English · Done")).to_be_visible()


def test_a_script_that_somebody_else_changed_keeps_what_was_typed(site: Site, visit: Visits, job: Job) -> None:
    visit.expected = "status of 409"
    page = ready(visit(address(site, job)))
    page.locator(".line-target").nth(0).click()
    field = page.get_by_role("textbox", name="Translation at 0:00.4")
    field.fill("Buenas.")
    site.ledger.edit(job.id, "es", 0, {"u0003": "Muy bien."})
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Somebody else changed the script.")
    expect(field).to_have_value("Buenas.")
    expect(page.locator(".line-target").last).to_have_text("Muy bien.")
    field.press("Enter")
    expect(page.get_by_text("2 changed lines")).to_be_visible()


def test_everything_in_the_script_has_a_key(site: Site, visit: Visits, job: Job) -> None:
    page = ready(visit(address(site, job)))
    page.keyboard.press("ArrowDown")
    expect(page.locator(".line").nth(0)).to_have_attribute("aria-current", "true")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".line").nth(1)).to_have_attribute("aria-current", "true")
    until(page.locator("video"), "Math.abs(one.currentTime - 2) < 0.05")
    page.keyboard.press("e")
    page.keyboard.type("!")
    page.keyboard.press("Escape")
    expect(page.locator(".line-target").nth(1)).to_have_text("¿Cómo ha estado usted?")
    page.locator("main").focus()
    page.keyboard.press(" ")
    until(page.locator("video"), "!one.paused")
    page.keyboard.press(" ")
    until(page.locator("video"), "one.paused")
    page.keyboard.press("o")
    expect(page.get_by_role("radio", name="Original")).to_be_checked()
    page.keyboard.press("/")
    page.keyboard.type("gracias")
    assert lines(page) == ["Bien, gracias."]
    page.keyboard.press("Escape")
    assert len(lines(page)) == 3
    page.keyboard.press("ArrowUp")
    page.keyboard.press("e")
    page.keyboard.type(" Adiós.")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 changed line")).to_be_visible()
    page.locator("main").focus()
    page.keyboard.press("r")
    expect(page.locator(".line.changed")).to_contain_text("being spoken")
    assert site.ledger.job(job.id).status is JobStatus.UPLOADED


def test_files_are_downloaded_under_their_names(site: Site, visit: Visits, job: Job, dubbed_film: Path) -> None:
    page = ready(visit(address(site, job)))
    page.get_by_role("button", name="Download").click()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("menuitem", name="Video").first).to_be_focused()
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    assert saved.value.suggested_filename == "talk.es.mp4"
    assert saved.value.path().read_bytes() == dubbed_film.read_bytes()
    expect(page.get_by_role("menu")).to_be_hidden()
    expect(page.get_by_role("button", name="Download")).to_be_focused()


@pytest.mark.parametrize("way", ["WebSocket", "events", "asking"])
def test_work_is_watched_as_it_happens(site: Site, visit: Visits, film: Path, dubbed_film: Path, way: str) -> None:
    visit.expected = "WebSocket|status of 404|status of 409|ERR_FAILED"
    dub = Dub(site, film)
    lease = dub.at(Stage.TRANSLATION)
    page = visit(site.url)
    if way != "WebSocket":
        page.route_web_socket(re.compile("/progress"), _refuse)
    if way == "asking":
        page.route(re.compile("/events"), lambda route: route.abort())
    page.get_by_role("link", name="talk.mp4").click()
    steps = page.get_by_role("list", name="Steps").get_by_role("listitem")
    expect(steps.nth(3)).to_have_attribute("aria-current", "step")
    expect(steps).to_contain_text(["Check", "Listen", "Who speaks", "Translate", "Speak", "Assemble"])
    expect(steps.nth(2)).to_contain_text(": done")
    expect(page.get_by_text("The Spanish script appears here as soon as it is translated.")).to_be_visible()
    expect(page.get_by_role("button", name="Download")).to_be_hidden()
    part = PartId(Stage.TRANSLATION, 1, "es")
    site.ledger.finish(lease, part, f"{Stage.TRANSLATION}-es-1", seconds=1.0)
    dub._finish(lease, Stage.VOICE_ASSIGNMENT, 1, 1)
    dub._finish(lease, Stage.SYNTHESIS, 1, 4)
    expect(steps.nth(4)).to_have_attribute("aria-current", "step")
    expect(page.get_by_text("Speaking the lines")).to_be_visible()
    dub.publish(lease, "es", LINES, dubbed_film)
    expect(page.get_by_role("button", name="Download")).to_be_visible()
    expect(page.get_by_role("radio", name="Dub")).to_be_checked()
    expect(page.locator(".line")).to_have_count(3)
    expect(steps.first).to_be_hidden()


def _refuse(socket: WebSocketRoute) -> None:
    socket.close(code=1011)


def test_a_translation_is_read_before_it_is_spoken(site: Site, visit: Visits, film: Path) -> None:
    job = Dub(site, film, changes={"review": True}).under_review(LINES)
    page = visit(address(site, job))
    banner = page.get_by_role("heading", name="Read before it is spoken")
    expect(banner).to_be_visible()
    page.locator(".line-target").nth(0).click()
    page.get_by_role("textbox", name="Translation at 0:00.4").fill("Buenos días.")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 changed line")).to_be_visible()
    page.get_by_role("button", name="Speak it").click()
    expect(banner).to_be_hidden()
    assert site.ledger.job(job.id).status is JobStatus.UPLOADED
    assert site.ledger.edits(job.id, "es").texts == {"u0001": "Buenos días."}


def test_what_went_wrong_is_told_with_what_to_do_and_to_quote(
    site: Site, visit: Visits, film: Path, dubbed_film: Path
) -> None:
    visit.expected = "status of 404|status of 409"
    dub = Dub(site, film, languages=("es", "ca"))
    lease = dub.claimed()
    site.ledger.warn(lease, "decode_errors", "0.4 s of damaged sound")
    site.ledger.fail_output(lease, "ca", Failure(ErrorCode.ENGINE_FAILED, "no voice answered", Stage.SYNTHESIS))
    dub.publish(lease, "es", LINES, dubbed_film)
    page = visit(f"{site.url}/jobs/{lease.job_id}")
    expect(page.get_by_role("heading", name="Catalan did not work")).to_be_visible()
    expect(page.locator(".banner.bad")).to_contain_text("no voice answered")
    expect(page.locator(".banner.bad .quote")).to_have_text(
        f"If you ask for help, quote engine_failed · {lease.job_id}"
    )
    page.get_by_text("1 note about this dub").click()
    expect(page.get_by_text("Damaged stretches of the sound were replaced by silence.")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Catalan did not work")).to_be_hidden()
    assert site.ledger.job(lease.job_id).status is JobStatus.UPLOADED


def test_a_job_is_cancelled_and_deleted_from_its_menu(site: Site, visit: Visits, film: Path) -> None:
    visit.expected = "status of 404|status of 409"
    job = Dub(site, film).submitted()
    page = visit(address(site, job))
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Cancel this dub").click()
    expect(page.get_by_role("heading", name="This dub was cancelled")).to_be_visible()
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("heading", name="Your videos, speaking other languages")).to_be_visible()
    page.goto(address(site, job))
    expect(page.get_by_role("heading", name="There is no such video")).to_be_visible()


def test_a_language_is_added(site: Site, visit: Visits, job: Job) -> None:
    page = ready(visit(address(site, job)))
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Add a language").click()
    dialog = page.get_by_role("dialog", name="Add languages")
    expect(dialog.get_by_role("option")).to_have_text([re.compile("Arabic")])
    dialog.get_by_role("option", name=re.compile("Arabic")).click()
    dialog.get_by_role("button", name="Add").click()
    expect(page.get_by_label("Language").get_by_role("option")).to_have_text(["Spanish", "Catalan", "Arabic"])
    assert site.ledger.job(job.id).request.target_languages == ("es", "ca", "ar")


def test_text_of_strangers_is_text(site: Site, visit: Visits, film: Path, dubbed_film: Path) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    job = Dub(site, film, name=f"{evil}.mp4").completed((Line(0.4, 1.8, evil, evil),), dubbed_film)
    page = ready(visit(address(site, job)))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{evil}.mp4")
    assert lines(page) == [evil]
    page.goto(site.url)
    expect(page.get_by_role("link", name=f"{evil}.mp4", exact=True)).to_be_visible()
    assert page.locator("img[src='x'], main script").count() == 0


def test_lines_from_right_to_left_stand_so(site: Site, visit: Visits, film: Path, dubbed_film: Path) -> None:
    job = Dub(site, film, languages=("ar",)).completed(ARABIC, dubbed_film)
    page = ready(visit(address(site, job)))
    assert page.locator(".line-target").evaluate("one => getComputedStyle(one).direction") == "rtl"
    assert page.locator(".line-source").evaluate("one => getComputedStyle(one).direction") == "ltr"
    page.locator(".line-target").click()
    assert page.get_by_role("textbox", name="Translation").evaluate("one => getComputedStyle(one).direction") == "rtl"
