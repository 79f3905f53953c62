"""What tenants may read, and how much they may use."""

import json
from typing import Annotated, Any

import typer

from cluster.accounts.records import Tenant
from cluster.accounts.tenants import require_name
from cluster.cli.console import out, print_json, print_table
from cluster.cli.keys import Json, open_accounts
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.settings import Settings

TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="As given to `dubflow keys create --tenant`.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Tenants of the service.", no_args_is_help=True)
    group.command("list")(list_tenants)
    group.command("set")(set_tenant)
    group.command("webhook-secret")(show_webhook_secret)
    app.add_typer(group, name="tenants")


def list_tenants(*, as_json: Json = False) -> None:
    """List tenants, with what is set for them."""
    found = open_accounts().tenants()
    if as_json:
        for tenant in found:
            print_json(_plain(tenant))
        return
    rows = [[one.id, json.dumps(one.limits), " ".join(one.source_prefixes) or "-"] for one in found]
    print_table(["tenant", "limits", "sources"], rows)


def set_tenant(
    tenant: TenantName,
    *,
    source_prefix: Annotated[
        list[str] | None,
        typer.Option(
            help="Objects below s3://bucket/folder may be sources; repeatable, takes the place of all others."
        ),
    ] = None,
    no_sources: Annotated[bool, typer.Option("--no-sources", help="It may name no objects as sources.")] = False,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBER",
            help="requests_per_minute, concurrent_jobs or media_minutes_per_day; 0 for none, "
            "nothing behind the = for the settings'. Repeatable.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Change what a tenant may do; running services follow within half a minute."""
    if no_sources and source_prefix:
        raise DubflowError(ErrorCode.INVALID_REQUEST, "give either --source-prefix or --no-sources")
    prefixes = [] if no_sources else source_prefix or None
    limits = dict(map(_limit, limit)) if limit else None
    changed = open_accounts().set_tenant(tenant, source_prefixes=prefixes, limits=limits)
    if as_json:
        print_json(_plain(changed))
    else:
        out.print(f"{changed.id}  {json.dumps(changed.limits)}  {' '.join(changed.source_prefixes) or '-'}")


def show_webhook_secret(
    tenant: TenantName,
    *,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Make a new one; messages carry signatures of both until the next time.")
    ] = False,
) -> None:
    """Print what signs the messages to a tenant's webhooks (Standard Webhooks)."""
    require_name(tenant)
    ledger = Ledger(Settings().database)
    out.print(ledger.rotate_webhook_secret(tenant) if rotate else ledger.webhook_secrets(tenant)[0])


def _limit(text: str) -> tuple[str, int | float | None]:
    name, equals, value = text.partition("=")
    if not equals:
        raise DubflowError(ErrorCode.INVALID_REQUEST, f"{text} sets nothing; write NAME=NUMBER")
    try:
        return name, (int(value) if value.isdecimal() else float(value)) if value else None
    except ValueError as error:
        raise DubflowError(ErrorCode.INVALID_REQUEST, f"{value} is no number; write {name}=NUMBER") from error


def _plain(tenant: Tenant) -> dict[str, Any]:
    return {"id": tenant.id, "source_prefixes": list(tenant.source_prefixes), "limits": tenant.limits}
