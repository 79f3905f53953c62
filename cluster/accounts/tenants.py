"""Whose jobs there are, what they may read, and how much they may use."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from cluster.accounts.base import AccountsBase
from cluster.accounts.records import Limits, Tenant
from cluster.accounts.sources import may_read, normal_prefix
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.database import insert_if_absent
from cluster.ledger.rows import to_json
from cluster.ledger.tables import tenants

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class Tenants(AccountsBase):
    """Tenants come into being with their first key, job or setting; who has none of these is none."""

    def tenant(self, tenant: str) -> Tenant:
        """One tenant, with nothing of its own where it is not known."""
        rows = select(tenants).where(tenants.c.id == tenant)
        row = self._database.read(lambda connection: connection.execute(rows).mappings().one_or_none())
        return Tenant(tenant) if row is None else _tenant_of(row)

    def tenants(self) -> tuple[Tenant, ...]:
        """All tenants, by name."""
        rows = select(tenants).order_by(tenants.c.id)
        found = self._database.read(lambda connection: connection.execute(rows).mappings().all())
        return tuple(map(_tenant_of, found))

    def set_tenant(
        self, tenant: str, *, source_prefixes: Sequence[str] | None = None, limits: dict[str, Any] | None = None
    ) -> Tenant:
        """Change what a tenant may do; what is None stays. Running services follow within half a minute.

        Args:
            tenant: Letters, digits, `.`, `_` and `-`.
            source_prefixes: Takes the place of all that there were.
            limits: By their names in `Limits`; those not named stay, None gives the settings' back.

        Raises:
            DubflowError: `invalid_request`.
        """
        require_name(tenant)
        prefixes = None if source_prefixes is None else [normal_prefix(prefix) for prefix in source_prefixes]
        _require_limits(limits or {})

        def change(connection: Connection) -> Tenant:
            known = locked_tenant(connection, tenant)
            overrides = {**json.loads(known["limits"] or "{}"), **(limits or {})}
            values = {
                "limits": to_json({name: value for name, value in overrides.items() if value is not None}),
                "source_prefixes": known["source_prefixes"] if prefixes is None else to_json(prefixes),
            }
            connection.execute(update(tenants).where(tenants.c.id == tenant).values(values))
            return _tenant_of({**known, **values})

        return self._database.write(change)

    def may_read(self, tenant: str, uri: str) -> bool:
        """Tell whether a tenant may name an object as a source: nothing but what lies under its prefixes."""
        return may_read(self.tenant(tenant).source_prefixes, uri)


def require_name(tenant: str) -> None:
    """Refuse names that could mean something in a path or a message."""
    if not _NAME.fullmatch(tenant):
        raise DubflowError(
            ErrorCode.INVALID_REQUEST, "a tenant's name is up to 64 letters, digits and . _ -, a letter or digit first"
        )


def locked_tenant(connection: Connection, tenant: str) -> RowMapping:
    """Lock a tenant for this transaction, and make it where there is none."""
    insert_if_absent(connection, tenants, {"id": tenant, "turn": 0})
    return connection.execute(select(tenants).where(tenants.c.id == tenant).with_for_update()).mappings().one()


def _require_limits(limits: dict[str, Any]) -> None:
    kinds = {field.name: field.type for field in fields(Limits)}
    for name, value in limits.items():
        if name not in kinds:
            raise DubflowError(ErrorCode.INVALID_REQUEST, f"there is no limit {name}; there are {', '.join(kinds)}")
        whole = kinds[name] is int
        if value is not None and not (isinstance(value, int if whole else int | float) and 0 <= value < math.inf):
            number = "whole number" if whole else "number"
            raise DubflowError(ErrorCode.INVALID_REQUEST, f"{name} is a {number}, 0 for no limit")


def _tenant_of(row: RowMapping | dict[str, Any]) -> Tenant:
    return Tenant(row["id"], tuple(json.loads(row["source_prefixes"] or "[]")), json.loads(row["limits"] or "{}"))
