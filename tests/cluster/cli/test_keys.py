import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from cluster.accounts.accounts import Accounts
from cluster.accounts.identities import Identities
from cluster.accounts.records import Limits
from cluster.cli.app import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the program on a database; its exit code and what it printed."""
    monkeypatch.setenv("DUBFLOW_DATABASE_URL", database_url)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dubflow", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, printed.out, printed.err

    return run


def records(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def test_a_key_is_printed_once_and_works(run: Run, database_url: str) -> None:
    code, printed, _ = run("keys", "create", "--tenant", "acme", "--name", "laptop", "--expires-days", "2", "--json")
    (created,) = records(printed)

    assert code == 0
    assert {"id", "key"} <= set(created)
    assert (created["tenant"], created["name"], created["scopes"]) == ("acme", "laptop", ["jobs:read", "jobs:write"])
    accounts = Accounts(database_url, Limits())
    holder = Identities(accounts).of_key(created["key"])
    accounts.close()
    assert holder is not None
    assert holder.key.id == created["id"]
    _, listed, _ = run("keys", "list", "--json")
    assert [(one["id"], "key" in one) for one in records(listed)] == [(created["id"], False)]
    left = datetime.fromisoformat(created["expires_at"]) - datetime.now(UTC)
    assert left.total_seconds() == pytest.approx(2 * 86400, abs=60)


def test_without_json_the_key_alone_is_on_stdout(run: Run) -> None:
    code, printed, said = run("keys", "create", "--scope", "jobs:read")

    assert code == 0
    assert printed.startswith("dub_")
    assert len(printed.split()) == 1
    assert "only time" in said


def test_a_revoked_key_is_listed_as_such(run: Run) -> None:
    (created,) = records(run("keys", "create", "--json")[1])

    code, printed, _ = run("keys", "revoke", created["id"], "--json")

    assert code == 0
    assert records(printed)[0]["revoked_at"] is not None
    assert "revoked" in run("keys", "list")[1]
    assert "revoked" in run("keys", "revoke", created["id"])[1]
    assert run("keys", "list", "--tenant", "nobody", "--json")[1] == ""


def test_a_tenant_gets_sources_and_limits(run: Run) -> None:
    code, printed, _ = run(
        *("tenants", "set", "acme", "--source-prefix", "s3://videos/acme", "--source-prefix", "s3://shared", "--json"),
        *("--limit", "requests_per_minute=60", "--limit", "media_minutes_per_day=1.5"),
    )

    assert code == 0
    wanted = {
        "id": "acme",
        "source_prefixes": ["s3://videos/acme/", "s3://shared/"],
        "limits": {"requests_per_minute": 60, "media_minutes_per_day": 1.5},
    }
    assert records(printed) == [wanted]
    run("tenants", "set", "acme", "--limit", "requests_per_minute=", "--no-sources")
    _, listed, _ = run("tenants", "list", "--json")
    assert records(listed) == [{"id": "acme", "source_prefixes": [], "limits": {"media_minutes_per_day": 1.5}}]
    assert "acme" in run("tenants", "list")[1]


@pytest.mark.parametrize(
    "wrong",
    [
        ("keys", "create", "--scope", "everything"),
        ("keys", "create", "--tenant", "../acme"),
        ("keys", "create", "--expires-days", "soon"),
        ("keys", "create", "--expires-days", "0"),
        ("keys", "revoke", "0" * 16),
        ("keys", "revoke"),
        ("keys", "nonsense"),
        ("tenants", "set", "acme", "--source-prefix", "/videos"),
        ("tenants", "set", "acme", "--source-prefix", "s3://videos", "--no-sources"),
        ("tenants", "set", "acme", "--limit", "requests_per_minute"),
        ("tenants", "set", "acme", "--limit", "requests_per_minute=many"),
        ("tenants", "set", "acme", "--limit", "nonsense=1"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_line(run: Run, wrong: tuple[str, ...]) -> None:
    code, printed, said = run(*wrong)

    assert (code, printed) == (2, "")
    assert len(said.splitlines()) == 1
    assert "Traceback" not in said


def test_a_database_without_tables_is_the_environments_fault(run: Run, empty_database: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DUBFLOW_DATABASE_URL", empty_database)
        code, _, said = run("keys", "list")

    assert code == 3
    assert "dubflow db upgrade" in said
