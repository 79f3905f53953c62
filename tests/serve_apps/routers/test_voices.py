from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cluster import layout
from cluster.blobs.store import open_blobs
from cluster.consent import CONSENT, WORDINGS
from cluster.ledger.ledger import Ledger
from cluster.settings import Settings
from serve_apps.voices.models import VoiceChange, VoiceView
from tests.fixtures.doors import doors, new_key, service_settings
from tests.fixtures.library import ENGINE, SERIES, OnALine, episode, heard, meet

VOICES = "/api/v1/voices"


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return service_settings(tmp_path, database_url)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    opened = Ledger(settings.database)
    yield opened
    opened.close()


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with doors(settings) as client:
        yield client


def known(ledger: Ledger, settings: Settings) -> str:
    """A person who is cloned; gives their id."""
    lease = episode(ledger, "one", key_id="k1")
    (person,) = ledger.meet(lease, SERIES, heard(1.0), OnALine()).people.values()
    ledger.cast(lease, SERIES, "es", "kokoro", lambda _assigned: {person.id: "anna"})
    open_blobs(settings.blobs).put_bytes(f"{layout.voice('default', person.id)}/own-1.flac", b"sound")
    assert ledger.clone(lease, person.id, "own-1") == "own-1"
    return person.id


def test_a_person_is_shown_with_everything_but_the_voiceprint(
    client: TestClient, ledger: Ledger, settings: Settings
) -> None:
    voice_id = known(ledger, settings)
    answer = client.get(f"{VOICES}/{voice_id}")
    person: dict[str, Any] = answer.json()
    assert answer.status_code == 200
    assert {name: person[name] for name in ("voice_id", "series", "label", "name", "gender", "seconds", "cloned")} == {
        "voice_id": voice_id,
        "series": SERIES,
        "label": "V1",
        "name": "",
        "gender": "unknown",
        "seconds": 10.0,
        "cloned": True,
    }
    assert person["voices"] == [{"language": "es", "engine": "kokoro", "voice": "anna", "by_hand": False}]
    (consent,) = person["consents"]
    assert (consent["key_id"], consent["wording"], consent["words"]) == ("k1", CONSENT, WORDINGS[CONSENT])
    assert "voiceprint" not in answer.text
    assert ENGINE not in answer.text
    assert client.get(VOICES).json() == {"items": [person], "next_cursor": None}


def test_people_are_listed_in_pages_of_one_tenant_and_series(
    client: TestClient, ledger: Ledger, settings: Settings
) -> None:
    for number in range(3):
        meet(ledger, episode(ledger, f"{number}"), 10.0 * number, script=f"{number}")
    meet(ledger, episode(ledger, "else"), 1.0, series="Another", script="else")
    meet(ledger, episode(ledger, "theirs", tenant="theirs"), 1.0, script="theirs")
    first = client.get(VOICES, params={"series": SERIES, "limit": 2}).json()
    second = client.get(VOICES, params={"series": SERIES, "limit": 2, "cursor": first["next_cursor"]}).json()
    assert [one["label"] for one in (*first["items"], *second["items"])] == ["V3", "V2", "V1"]
    assert second["next_cursor"] is None
    for none in ("None", "a\0b"):
        assert client.get(VOICES, params={"series": none}).json()["items"] == []
    assert client.get(VOICES, params={"cursor": "x"}).status_code == 422
    theirs = client.get(VOICES, headers={"X-API-Key": new_key(settings, "theirs")}).json()["items"]
    assert [one["series"] for one in theirs] == [SERIES]


def test_people_are_named_and_given_voices_and_both_taken_back(
    client: TestClient, ledger: Ledger, settings: Settings
) -> None:
    url = f"{VOICES}/{known(ledger, settings)}"
    changed = client.patch(url, json={"name": "Ann", "gender": "female", "voices": {"spa": "maria", "fr": "claire"}})
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["gender"], changed.json()["gender_confidence"]) == (
        "Ann",
        "female",
        1,
    )
    by_hand = {one["language"]: one["voice"] for one in changed.json()["voices"] if one["by_hand"]}
    assert by_hand == {"es": "maria", "fr": "claire"}
    assert client.patch(url, json={}).json() == changed.json()
    back = client.patch(url, json={"name": None, "gender": None, "voices": {"es": None, "fr": None}}).json()
    assert (back["name"], back["gender"]) == ("", "unknown")
    assert [one["voice"] for one in back["voices"]] == ["anna"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"gender": "robot"}, "invalid_request"),
        ({"name": "x" * 101}, "invalid_request"),
        ({"name": "a\0b"}, "invalid_request"),
        ({"voices": {"es": ""}}, "invalid_request"),
        ({"voices": {"???": "worf"}}, "unsupported_language"),
        ({"reference": "own-2"}, "invalid_request"),
    ],
)
def test_what_makes_no_sense_is_refused(
    client: TestClient, ledger: Ledger, settings: Settings, change: dict[str, Any], code: str
) -> None:
    url = f"{VOICES}/{known(ledger, settings)}"
    before = client.get(url).json()
    answer = client.patch(url, json=change)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert client.get(url).json() == before


def test_who_is_forgotten_is_gone_with_all_that_was_kept(
    client: TestClient, ledger: Ledger, settings: Settings
) -> None:
    voice_id = known(ledger, settings)
    assert client.delete(f"{VOICES}/{voice_id}").status_code == 204
    assert list(open_blobs(settings.blobs).keys("voices")) == []
    for answer in (client.get(f"{VOICES}/{voice_id}"), client.delete(f"{VOICES}/{voice_id}")):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert client.get(VOICES).json()["items"] == []
    assert client.get(f"{VOICES}/V1").status_code == 404


def test_the_consent_of_a_job_says_which_key_stated_it(client: TestClient, settings: Settings, ledger: Ledger) -> None:
    sample = (Path(__file__).parents[3] / "samples" / "jfk.mp4").read_bytes()
    key = new_key(settings, "ours")
    job_id = client.post(
        "/api/v1/upload",
        files={"file": ("talk.mp4", sample)},
        data={"target_language": "es", "options": '{"clone_voices": true, "series": "Life on Mars"}'},
        headers={"X-API-Key": key},
    ).json()["job_id"]
    request = ledger.job(job_id).request
    assert request.consent == CONSENT
    assert request.key_id
    assert request.key_id in key


def test_examples_are_what_they_are_examples_of() -> None:
    for kind in (VoiceView, VoiceChange):
        examples: Any = kind.model_config["json_schema_extra"]
        assert kind.model_validate(examples["examples"][0])
