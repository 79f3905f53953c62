"""The library before the real service: files come in whatever happens, and every job says where it is."""

import hashlib
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from cluster.accounts.accounts import Accounts
from cluster.accounts.records import Limits
from cluster.errors import ErrorCode
from cluster.ledger.records import Failure, JobStatus, Stage
from tests.fixtures.databases import empty
from tests.fixtures.sites import Dub, Line, Site
from tests.serve_apps.page.conftest import Visits, until

LINES = (Line(0.5, 2.0, "Hello.", "Hola."), Line(2.5, 5.0, "How are you?", "¿Cómo está?", "S2"))
LOST = r"status of 500|ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|WebSocket connection"
REFUSED = r"status of 401"


def choose(page: Page, *files: Path) -> None:
    page.set_input_files("section.drop input[type=file]", [str(file) for file in files])


def rows(page: Page) -> Locator:
    return page.locator("main > ul.rows > li:not([aria-hidden])")


def panel(page: Page) -> Page:
    expect(page.get_by_role("dialog", name="New dub")).to_be_visible()
    return page


def start(page: Page, *languages: str) -> None:
    for language in languages:
        page.get_by_role("combobox", name="Dub into").fill(language)
        page.keyboard.press("Enter")
    page.get_by_role("button", name=re.compile("Start dubbing")).click()


def tab_to(wanted: Locator) -> None:
    for _ in range(12):
        wanted.page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            return
    pytest.fail(f"{wanted} cannot be reached")


def slow_down(page: Page, megabytes_a_second: float) -> None:
    session = page.context.new_cdp_session(page)
    rate = int(megabytes_a_second * 1_000_000)
    values = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": rate}
    session.send("Network.emulateNetworkConditions", values)


def stored_digest(site: Site) -> str:
    (job,) = site.ledger.jobs().jobs
    return hashlib.sha256(Path(job.request.source_uri.removeprefix("file://")).read_bytes()).hexdigest()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_first_visit_says_what_this_is_and_has_a_clip_to_try(site: Site, visit: Visits) -> None:
    page = visit(site.url)
    expect(page.get_by_role("heading", name="Your videos, speaking other languages")).to_be_visible()
    page.get_by_role("button", name="Try it with a short clip").click()
    expect(panel(page).get_by_text("0:11")).to_be_visible()
    start(page, "Spanish")
    expect(page.get_by_role("link", name="jfk.mp4")).to_be_visible()


def test_own_voices_are_offered_where_they_can_be_kept_and_consent_is_given_each_time(
    site: Site, visit: Visits, film: Path, dubbed_film: Path
) -> None:
    page = visit(site.url)
    consent = page.get_by_label("I have their consent")
    choose(page, film)
    expect(consent).to_be_hidden()
    page.get_by_role("combobox", name="Dub into").fill("arabic")
    page.keyboard.press("Enter")
    consent.check()
    start(page)
    expect(rows(page)).to_have_count(1)
    choose(page, dubbed_film)
    expect(consent).not_to_be_checked()
    start(page)
    expect(rows(page).filter(has_text="Waiting")).to_have_count(2)
    cloned = {job.request.name: job.request.options["clone_voices"] for job in site.ledger.jobs().jobs}
    assert cloned == {film.name: True, dubbed_film.name: False}


def test_files_become_jobs(site: Site, visit: Visits, film: Path, dubbed_film: Path) -> None:
    page = visit(site.url)
    choose(page, film, dubbed_film)
    expect(panel(page).get_by_text("0:06")).to_have_count(2)
    page.get_by_label("How many people speak").select_option("2")
    page.get_by_label("Let me read the translation").check()
    page.get_by_label("Series").fill(" Life on  Mars ")
    start(page, "espanol", "catalan")
    expect(rows(page).filter(has_text="Waiting")).to_have_count(2)
    jobs = site.ledger.jobs().jobs
    assert {job.request.name for job in jobs} == {film.name, dubbed_film.name}
    for job in jobs:
        assert job.request.target_languages == ("es", "ca")
        assert job.request.review
        assert job.request.options["max_speakers"] == 2
        assert job.request.options["series"] == "Life on Mars"
    choose(page, film)  # the choice is remembered, the series only offered
    expect(page.get_by_label("Series")).to_have_value("")
    expect(page.locator("#known-series option")).to_have_attribute("value", "Life on  Mars")
    expect(panel(page).get_by_role("list", name="Chosen languages").get_by_role("listitem")).to_have_count(2)


def test_a_dropped_file_opens_the_panel(site: Site, visit: Visits) -> None:
    page = visit(site.url)
    expect(page.get_by_role("button", name="Choose files")).to_be_visible()
    page.evaluate("""
        const files = new DataTransfer();
        files.items.add(new File(["x"], "clip.mp4", { type: "video/mp4" }));
        for (const kind of ["dragenter", "dragover", "drop"]) {
          document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true }));
        }
    """)
    expect(panel(page).get_by_text("clip.mp4")).to_be_visible()


def test_what_is_missing_is_said_before_anything_is_sent(site: Site, visit: Visits, tmp_path: Path, film: Path) -> None:
    notes, nothing = tmp_path / "notes.txt", tmp_path / "nothing.mp4"
    notes.write_text("not a film")
    nothing.touch()
    page = visit(site.url)
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.url) if asked.method == "POST" else None)
    choose(page, notes, nothing, film)
    problems = panel(page).get_by_role("alert").get_by_role("listitem")
    expect(problems).to_have_text([re.compile("notes.txt.*is not a video"), re.compile("nothing.mp4.*is empty")])
    start(page, "Spanish")
    expect(page.get_by_role("dialog")).to_be_visible()
    for name in (notes.name, nothing.name):
        page.get_by_role("button", name=f"Leave out {name}").click()
    page.get_by_role("button", name="Remove Spanish").click()
    start(page)
    expect(problems).to_have_text(["Choose at least one language to dub into."])
    assert sent == []
    start(page, "Spanish")
    expect(page.get_by_role("link", name=film.name)).to_be_visible()


def test_a_file_above_the_limit_is_refused_here(site: Site, visit: Visits, film: Path) -> None:
    most = site.settings.max_source_bytes
    site.restart(max_source_bytes=1000)
    page = visit(site.url)
    choose(page, film)
    expect(panel(page).get_by_role("alert")).to_contain_text("At most 1 kB are taken")
    site.restart(max_source_bytes=most)


def test_a_file_that_only_looks_like_one_is_refused_there(site: Site, visit: Visits, tmp_path: Path) -> None:
    visit.expected = r"status of 415"
    page = visit(site.url)
    (tmp_path / "fake.mp4").write_text("words " * 1000)
    choose(page, tmp_path / "fake.mp4")
    panel(page)
    start(page, "Spanish")
    row = page.get_by_role("region", name="Uploading")
    expect(row).to_contain_text("This is not a video or audio file that can be read.")
    expect(row).to_contain_text("unsupported_media")
    row.get_by_role("button", name="Discard").click()
    expect(row).to_be_hidden()
    assert site.ledger.jobs().jobs == ()


def test_an_upload_outlives_a_restart_of_the_service(site: Site, visit: Visits, large_film: Path) -> None:
    visit.expected = LOST
    page = visit(site.url)
    slow_down(page, 8)
    choose(page, large_film)
    panel(page)
    start(page, "Spanish")
    upload = page.get_by_role("region", name="Uploading")
    until(page.get_by_role("progressbar"), "one.value > 0.45")
    site.stop()
    expect(upload).to_contain_text("Connection lost")
    expect(page.get_by_text("The service does not answer.")).to_be_visible()
    slow_down(page, 200)
    site.start()
    expect(rows(page).filter(has_text="Waiting")).to_have_count(1)
    expect(page.get_by_text("The service does not answer.")).to_be_hidden()
    assert stored_digest(site) == digest(large_film)


def test_an_upload_outlives_a_reload_with_the_same_file(
    site: Site, visit: Visits, large_film: Path, film: Path
) -> None:
    page = visit(site.url)
    page.on("dialog", lambda asked: asked.accept())
    slow_down(page, 8)
    choose(page, large_film)
    panel(page)
    start(page, "Spanish")
    until(page.get_by_role("progressbar"), "one.value > 0.5")
    page.reload()
    upload = page.get_by_role("region", name="Uploading")
    expect(upload).to_contain_text("Choose the same file")
    reached = upload.get_by_role("progressbar").evaluate("one => one.value")
    assert reached > 0.3
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.url) if asked.method == "PUT" else None)
    chooser = upload.locator("input[type=file]")
    chooser.set_input_files(str(film))
    expect(upload.get_by_role("alert")).to_contain_text("That is another file")
    chooser.set_input_files(str(large_film))
    expect(rows(page).filter(has_text="Waiting")).to_have_count(1)
    assert 0 < len(sent) < 3, "parts that were safe are not sent again"
    assert stored_digest(site) == digest(large_film)


def test_an_upload_can_be_paused_and_discarded(site: Site, visit: Visits, large_film: Path) -> None:
    page = visit(site.url)
    slow_down(page, 4)
    choose(page, large_film)
    panel(page)
    start(page, "Spanish")
    upload = page.get_by_role("region", name="Uploading")
    upload.get_by_role("button", name="Pause").click()
    expect(upload).to_contain_text("Paused at")
    upload.get_by_role("button", name="Resume").click()
    expect(upload.get_by_role("button", name="Pause")).to_be_visible()
    upload.get_by_role("button", name="Discard").click()
    expect(upload).to_be_hidden()
    expect(page.get_by_role("button", name="Try it with a short clip")).to_be_visible()


def test_keys_are_asked_for_when_needed_and_when_they_expire(site: Site, visit: Visits, film: Path) -> None:
    visit.expected = REFUSED
    accounts = Accounts(site.settings.database, Limits())
    _, short = accounts.create_key("default", expires_days=6 / 86_400)
    _, good = accounts.create_key("default")
    expires = time.monotonic() + 6
    accounts.close()
    Dub(site, film).submitted()
    site.restart()  # it remembers for two seconds that there are no keys
    page = visit(site.url)
    dialog = page.get_by_role("dialog", name="Enter your key")
    dialog.get_by_label("Key", exact=True).fill("dub_wrong")
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog.get_by_role("alert")).to_have_text("This key is unknown, expired or revoked.")
    dialog.get_by_label("Key", exact=True).fill(short)
    dialog.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("link", name="talk.mp4")).to_be_visible()
    expect(dialog).to_be_hidden()
    page.wait_for_timeout(max(0.0, expires - time.monotonic()) * 1000)
    expect(dialog).to_contain_text("Your session has ended")
    dialog.get_by_label("Key", exact=True).fill(good)
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("link", name="talk.mp4")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(dialog).to_be_visible()
    empty(site.settings.database)
    site.restart()


def test_every_state_of_a_job_has_words_and_one_action(
    site: Site, visit: Visits, film: Path, dubbed_film: Path
) -> None:
    Dub(site, film, "done.mp4", ("es", "ca")).completed(LINES, dubbed_film)
    lease = Dub(site, film, "failed.mp4").claimed()
    site.ledger.fail_output(lease, "es", Failure(ErrorCode.TRUNCATED_MEDIA, "it ends at 0:03", Stage.VALIDATION))
    site.ledger.cancel(Dub(site, film, "cancelled.mp4").submitted().id)
    Dub(site, film, "running.mp4").at(Stage.TRANSLATION)
    Dub(site, film, "waiting.mp4").submitted()
    page = visit(site.url)
    shown = rows(page)
    expect(shown.locator(".row-name")).to_have_text(
        ["waiting.mp4", "running.mp4", "cancelled.mp4", "failed.mp4", "done.mp4"]
    )
    expect(shown.nth(0)).to_contain_text("Next in line")
    expect(shown.nth(1)).to_contain_text("Translating")
    expect(shown.nth(2)).to_contain_text("Cancelled")
    expect(shown.nth(3)).to_contain_text("The file ends too early.")
    expect(shown.nth(4)).to_contain_text("Done")
    shown.nth(1).get_by_role("button", name="Cancel: running.mp4").click()
    expect(shown.nth(1)).to_contain_text("Cancelled")
    shown.nth(3).get_by_role("button", name="Retry: failed.mp4").click()
    expect(shown.nth(3)).to_contain_text("Waiting")
    assert site.ledger.counts()[JobStatus.CANCELLED] == 2
    page.get_by_role("button", name="Done", exact=True).click()
    expect(shown.locator(".row-name")).to_have_text(["done.mp4"])
    page.reload()
    expect(shown.locator(".row-name")).to_have_text(["done.mp4"])
    page.get_by_role("button", name="To review").click()
    expect(page.get_by_text("Nothing here under this filter.")).to_be_visible()


def test_long_lists_come_in_pages(site: Site, visit: Visits, film: Path) -> None:
    for number in range(30):
        Dub(site, film, f"{number:02d}.mp4").submitted()
    page = visit(site.url)
    names = page.locator(".row-name")
    expect(names).to_have_count(25)
    page.get_by_role("button", name="Show older").click()
    expect(names).to_have_count(30)
    expect(page.get_by_role("button", name="Show older")).to_be_hidden()
    Dub(site, film, "new.mp4").submitted()
    expect(names.first).to_have_text("new.mp4")
    expect(names).to_have_count(31)


def test_the_way_from_a_file_to_a_job_needs_no_mouse(site: Site, visit: Visits, film: Path) -> None:
    page = visit(site.url)
    page.on("filechooser", lambda _: None)  # playwright needs a moment to begin with that
    button = page.get_by_role("button", name="Choose files")
    expect(button).to_be_visible()
    tab_to(button)
    with page.expect_file_chooser() as chosen:
        page.keyboard.press("Enter")
    chosen.value.set_files(str(film))
    panel(page)
    page.keyboard.type("cata")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("option", name=re.compile("Catalan"))).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_visible()
    tab_to(page.get_by_role("button", name="Start dubbing"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name=film.name)).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_hidden()
