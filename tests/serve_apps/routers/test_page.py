"""The page as files: addresses, caching, what it may load, and how much of it there is."""

import re
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from zipfile import ZipFile

import pytest
from fastapi.testclient import TestClient

from serve_apps.routers.page import FOLDER, page
from tests.fixtures.doors import doors, service_settings

MODULES = sorted(FOLDER.glob("*.js"))
IMPORT = re.compile(r"""(?:from|import\() ?"(\./[\w.]+)\"""")


@pytest.fixture
def client(tmp_path: Path, sqlite_url: str) -> Iterator[TestClient]:
    with doors(service_settings(tmp_path, sqlite_url)) as opened:
        yield opened


def test_every_place_is_the_same_shell(client: TestClient) -> None:
    library, job = client.get("/"), client.get("/jobs/4f0c1f0a6f5e4b0f9d2c7a1b3e5d7f90")
    assert library.status_code == job.status_code == HTTPStatus.OK
    assert library.text == job.text
    assert "{assets}" not in library.text


def test_the_shell_is_asked_for_again_and_its_files_never(client: TestClient) -> None:
    first = client.get("/")
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (HTTPStatus.NOT_MODIFIED, b"")
    addresses = set(re.findall(r'(?:href|src)="(/assets/[^"]+)"', first.text))
    assert len(addresses) > 5
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == HTTPStatus.OK, address
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_the_clip_to_try_is_the_sample_in_a_checkout_and_in_a_built_package(client: TestClient, tmp_path: Path) -> None:
    sample = (FOLDER.parents[1] / "samples" / "jfk.mp4").read_bytes()
    assert client.get(f"/assets/{page().version}/sample.mp4").content == sample
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "wheel")]
    subprocess.run(build, check=True, capture_output=True, cwd=FOLDER.parents[1])
    (built,) = (tmp_path / "wheel").iterdir()
    with ZipFile(built) as wheel:
        assert wheel.read("serve_apps/page/sample.mp4") == sample


def test_files_of_another_version_are_not_mixed_in(client: TestClient) -> None:
    assert client.get("/assets/0123456789abcdef/main.js").status_code == HTTPStatus.NOT_FOUND
    assert client.get(f"/assets/{page().version}/nothing.js").status_code == HTTPStatus.NOT_FOUND
    assert client.get(f"/assets/{page().version}/..%2F..%2Fapplication.py").status_code == HTTPStatus.NOT_FOUND


def test_files_are_compressed_where_that_is_understood(client: TestClient) -> None:
    address = f"/assets/{page().version}/strings.js"
    packed = client.get(address, headers={"Accept-Encoding": "gzip"})
    plain = client.get(address, headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.content == plain.content == (FOLDER / "strings.js").read_bytes()


def test_the_page_loads_only_what_is_the_service_s_own(client: TestClient) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'; style-src 'self'" in policy
    assert not re.search(r"unsafe|http|\*", policy)


def test_nothing_is_written_into_the_document_as_markup() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in [*MODULES, FOLDER / "index.html"]}
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc"
    assert {name for name, text in texts.items() if re.search(ways, text)} == set()
    assert re.search(r"<style|<script(?![^>]*src=)|\son\w+=|\sstyle=", texts["index.html"]) is None


def test_imports_name_files_that_exist() -> None:
    assert len(MODULES) > 20
    for module in MODULES:
        for name in IMPORT.findall(module.read_text(encoding="utf-8")):
            assert (FOLDER / name).is_file(), f"{module.name} imports {name}"


def test_a_first_visit_loads_less_than_100_kilobytes(client: TestClient) -> None:
    """What the library needs, as it goes over the wire: the shell, its styles, and its modules."""
    shell = client.get("/").text
    styles = re.findall(r"([\w]+\.css)", shell)
    needed = {"main.js", "library.js", "icon.svg", *styles}
    waiting = ["main.js", "library.js"]
    while waiting:
        text = (FOLDER / waiting.pop()).read_text(encoding="utf-8")
        found = {name.removeprefix("./") for name in re.findall(r'from "(\./[\w.]+)"', text)} - needed
        needed |= found
        waiting += found
    sizes = {name: len(page().assets[name].compressed or page().assets[name].content) for name in needed}
    assert "job.js" not in sizes
    assert sum(sizes.values()) + len(page().shell.compressed or b"") < 100_000
