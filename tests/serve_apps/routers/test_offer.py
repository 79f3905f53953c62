from pathlib import Path

from cluster.ledger.ledger import Ledger
from cluster.ledger.records import SupportedLanguage
from tests.fixtures.doors import doors, new_key, service_settings


def test_the_languages_of_the_flow_are_listed(tmp_path: Path, sqlite_url: str) -> None:
    settings = service_settings(tmp_path, sqlite_url)
    ledger = Ledger(settings.database)
    with doors(settings) as client:
        assert client.get("/api/v1/languages").json() == {"items": []}
        ledger.replace_languages([SupportedLanguage("es", "Spanish", "español", source=False)])
        assert client.get("/api/v1/languages").json()["items"] == [
            {
                "code": "es",
                "name": "Spanish",
                "native_name": "español",
                "source": False,
                "target": True,
                "voice_cloning": False,
            }
        ]
    ledger.close()


def test_the_limits_are_those_of_the_settings_and_of_the_caller(tmp_path: Path, sqlite_url: str) -> None:
    settings = service_settings(tmp_path, sqlite_url, max_upload_bytes=123, concurrent_jobs=7)
    key = new_key(settings, "acme")
    with doors(settings) as client:
        assert client.get("/api/v1/limits").status_code == 401
        limits = client.get("/api/v1/limits", headers={"X-API-Key": key}).json()
    assert (limits["max_upload_bytes"], limits["concurrent_jobs"]) == (123, 7)
    assert {".mp4", ".avi", ".mov", ".mkv", ".webm", ".mp3"} <= set(limits["file_types"])
