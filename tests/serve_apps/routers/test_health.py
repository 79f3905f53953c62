from pathlib import Path

from tests.fixtures.doors import doors, service_settings


def test_a_replica_is_ready_on_either_database(tmp_path: Path, database_url: str) -> None:
    with doors(service_settings(tmp_path, database_url)) as client:
        assert client.get("/livez").json() == {"status": "ok"}
        assert client.get("/health").status_code == 200
        verbose = client.get("/readyz?verbose")
    assert verbose.json() == {"status": "ok", "checks": {"database": "ok", "blob_store": "ok", "disk": "ok"}}


def test_a_full_disk_is_not_ready_but_alive(tmp_path: Path, sqlite_url: str) -> None:
    with doors(service_settings(tmp_path, sqlite_url, max_upload_bytes=2**62)) as client:
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").status_code == 503
        assert client.get("/readyz?verbose").json()["checks"]["disk"] == "disk_full"
