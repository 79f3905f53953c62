"""People of series at the command line, in the database and through a service."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cluster import layout
from cluster.blobs.store import open_blobs
from cluster.cli.app import main
from cluster.ledger.ledger import Ledger
from cluster.settings import Settings
from serve_apps.application import create_app
from tests.fixtures.doors import service_settings
from tests.fixtures.library import SERIES, OnALine, episode, heard, meet
from tests.fixtures.served import Served

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    return service_settings(tmp_path, sqlite_url)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    opened = Ledger(settings.database)
    yield opened
    opened.close()


@pytest.fixture(params=["database", "service"])
def run(
    request: pytest.FixtureRequest,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Run]:
    """Run the program; its exit code and what it printed."""
    monkeypatch.setenv("DUBFLOW_HOME", str(settings.home))
    running = Served(partial(create_app, settings)) if request.param == "service" else None
    if running is None:
        monkeypatch.setenv("DUBFLOW_DATABASE_URL", settings.database)
        monkeypatch.setenv("DUBFLOW_BLOB_URL", settings.blobs)
    else:
        running.start()
        monkeypatch.setenv("DUBFLOW_SERVICE_URL", running.url)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["dubflow", "voices", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    yield run
    if running is not None:
        running.stop()


def known(ledger: Ledger, settings: Settings, name: str = "one", place: float = 1.0) -> str:
    lease = episode(ledger, name)
    (person,) = ledger.meet(lease, SERIES, heard(place, script=name), OnALine()).people.values()
    ledger.cast(lease, SERIES, "es", "kokoro", lambda _assigned: {person.id: "anna"})
    open_blobs(settings.blobs).put_bytes(f"{layout.voice('default', person.id)}/own-1.flac", b"sound")
    ledger.clone(lease, person.id, "own-1")
    return person.id


def records(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def test_people_are_listed_for_people_and_programs(run: Run, ledger: Ledger, settings: Settings) -> None:
    voice_id = known(ledger, settings)
    meet(ledger, episode(ledger, "else"), 1.0, series="Another", script="else")
    code, printed, _ = run("list", "--series", f"  {SERIES}")
    head, line = printed.splitlines()
    assert code == 0
    assert head.split()[:3] == ["person", "series", "label"]
    assert line.split()[0] == voice_id
    assert line.endswith("yes     es=anna")
    both = records(run("list", "--json")[1])
    assert [one["series"] for one in both] == ["Another", SERIES]
    assert (both[1]["label"], len(both[1]["consents"])) == ("V1", 1)


def test_a_list_is_as_long_as_it_is(run: Run, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.cli.voices.PAGE", 2)
    meet(ledger, episode(ledger, "one"), *(10.0 * number for number in range(5)))
    assert [one["label"] for one in records(run("list", "--json")[1])] == ["V5", "V4", "V3", "V2", "V1"]


def test_people_are_named_and_given_voices(run: Run, ledger: Ledger, settings: Settings) -> None:
    voice_id = known(ledger, settings)
    chosen = ("--voice", "Spanish=maria", "--voice", "fr=claire")
    code, printed, _ = run("set", voice_id, "--name", "Ann", "--gender", "female", *chosen, "--json")
    (person,) = records(printed)
    assert code == 0
    assert (person["name"], person["gender"]) == ("Ann", "female")
    assert "es=maria fr=claire" in run("list")[1]
    run("set", voice_id, "--name", "", "--gender", "", "--voice", "es=", "--voice", "fr=")
    (back,) = records(run("list", "--json")[1])
    assert (back["name"], back["gender"], [one["voice"] for one in back["voices"]]) == ("", "unknown", ["anna"])


@pytest.mark.parametrize(
    "wrong",
    [
        ("set", "ID", "--gender", "robot"),
        ("set", "ID", "--voice", "maria"),
        ("forget",),
        ("forget", "ID", "--series", "x"),
    ],
)
def test_what_makes_no_sense_is_told(run: Run, wrong: tuple[str, ...]) -> None:
    code, _, said = run(*wrong)
    assert code == 2
    assert "invalid_request" in said


def test_people_are_forgotten_one_by_one_and_by_series(run: Run, ledger: Ledger, settings: Settings) -> None:
    first, second, third = (known(ledger, settings, f"{number}", 10.0 * number) for number in range(3))
    assert run("forget", first) == (0, f"{first} forgotten\n", "")
    assert sorted(key.split("/")[2] for key in open_blobs(settings.blobs).keys("voices")) == sorted([second, third])
    assert run("forget", first)[0] == 2
    code, printed, _ = run("forget", "--series", SERIES)
    assert (code, sorted(printed.split())) == (0, sorted([second, third, "forgotten", "forgotten"]))
    assert list(open_blobs(settings.blobs).keys("voices")) == []
    assert run("list", "--json")[1] == ""


def test_a_tenant_can_be_forgotten_in_the_database_and_a_service_knows_one_only(
    run: Run, ledger: Ledger, settings: Settings
) -> None:
    ours = known(ledger, settings)
    meet(ledger, episode(ledger, "theirs", tenant="acme"), 1.0, script="theirs")
    code, printed, said = run("forget", "--tenant", "acme")
    if "service" in said:
        assert code == 2
        return
    assert code == 0
    assert "forgotten" in printed
    assert [one["voice_id"] for one in records(run("list", "--json")[1])] == [ours]
    assert run("list", "--tenant", "acme", "--json")[1] == ""
