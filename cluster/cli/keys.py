"""Who may use the service: keys are made, listed and revoked straight in the database, by whoever can reach it."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cluster.accounts.accounts import Accounts
from cluster.accounts.records import ApiKey, Limits, Scope
from cluster.cli.console import err, out, print_json, print_table
from cluster.ledger.database import Database
from cluster.ledger.schema import require_current
from cluster.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="API keys of the service.", no_args_is_help=True)
    group.command("create")(create_key)
    group.command("list")(list_keys)
    group.command("revoke")(revoke_key)
    app.add_typer(group, name="keys")


def create_key(
    *,
    tenant: Annotated[str, typer.Option(help="Whose jobs the key's holder sees.")] = "default",
    name: Annotated[str, typer.Option(help="Tells people what the key is for.")] = "",
    scope: Annotated[list[Scope] | None, typer.Option(help="What it may do; repeatable. By default all.")] = None,
    expires_days: Annotated[float | None, typer.Option(min=0.0, help="It ends after so many days.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it; it is not shown again."""
    key, text = open_accounts().create_key(tenant, name, scope or tuple(Scope), expires_days)
    if as_json:
        print_json({**_plain(key), "key": text})
        return
    out.print(text)
    err.print(f"this is the only time that key {key.id} of {key.tenant} is shown; keep it safe")


def list_keys(
    *,
    tenant: Annotated[str | None, typer.Option(help="Only keys of this tenant.")] = None,
    as_json: Json = False,
) -> None:
    """List keys, the oldest first, without their secrets."""
    found = open_accounts().list_keys(tenant)
    if as_json:
        for key in found:
            print_json(_plain(key))
        return
    rows = [
        [key.id, key.tenant, key.name or "-", ",".join(sorted(key.scopes)), _state(key), _when(key.last_used_at)]
        for key in found
    ]
    print_table(["key", "tenant", "name", "scopes", "state", "last used"], rows)


def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="A key's id, as `dubflow keys list` shows it.")],
    *,
    as_json: Json = False,
) -> None:
    """End a key for good; running services refuse it within half a minute."""
    key = open_accounts().revoke_key(key_id)
    if as_json:
        print_json(_plain(key))
    else:
        out.print(f"{key.id} {_state(key)}")


def open_accounts() -> Accounts:
    """The accounts of the settings.

    Raises:
        DubflowError: `environment` where the database has not this version's tables.
    """
    settings = Settings()
    database = Database(settings.database)
    require_current(database)
    database.close()
    return Accounts(settings.database, Limits.of(settings))


def _plain(key: ApiKey) -> dict[str, Any]:
    times = {name: _iso(getattr(key, name)) for name in ("created_at", "expires_at", "revoked_at", "last_used_at")}
    return {**asdict(key), "scopes": sorted(key.scopes), **times}


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return f"revoked {_when(key.revoked_at)}"
    return "good" if key.expires_at is None else f"until {_when(key.expires_at)}"


def _when(seconds: float | None) -> str:
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
