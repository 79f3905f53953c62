"""API keys: made, listed, revoked, and found again by what a caller shows."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, exists, func, select, update

from cluster.accounts.base import AccountsBase
from cluster.accounts.records import ApiKey, Holder, Scope, unknown_key
from cluster.accounts.secrets import new_key, read_key
from cluster.accounts.tenants import locked_tenant, require_name
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.clock import Now
from cluster.ledger.database import insert_if_absent
from cluster.ledger.rows import storable, to_json
from cluster.ledger.tables import api_keys, tenants

_DAY = 86400.0
_LONGEST_NAME = 200
_USE_IS_NOTED_EVERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key that is good now.

    Attributes:
        secret_hash: What the secret's hash must be.
        seconds_left: Until it expires.
    """

    holder: Holder
    secret_hash: str
    seconds_left: float


class ApiKeys(AccountsBase):
    """The keys of all tenants."""

    def create_key(
        self,
        tenant: str,
        name: str = "",
        scopes: Iterable[Scope] = tuple(Scope),
        expires_days: float | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key; its text is in the answer and nowhere else.

        Raises:
            DubflowError: `invalid_request`.
        """
        require_name(tenant)
        granted = _require_scopes(scopes)
        _require_label(name)
        if expires_days is not None and not 0 < expires_days < math.inf:
            raise DubflowError(ErrorCode.INVALID_REQUEST, "a key expires after a number of days above 0")
        text = new_key()
        shown = read_key(text)
        assert shown is not None  # noqa: S101 - it was just made
        values = {
            "id": shown.id,
            "tenant": tenant,
            "name": name,
            "secret_hash": shown.secret_hash,
            "scopes": to_json(sorted(granted)),
            "created_at": Now(),
            "expires_at": None if expires_days is None else Now() + expires_days * _DAY,
        }

        def create(connection: Connection) -> ApiKey:
            locked_tenant(connection, tenant)
            insert_if_absent(connection, api_keys, values)
            return _key_of(_row(connection, shown.id))

        return self._database.write(create), text

    def list_keys(self, tenant: str | None = None) -> tuple[ApiKey, ...]:
        """Keys, the oldest first, revoked and expired ones too."""
        rows = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
        if tenant is not None:
            rows = rows.where(api_keys.c.tenant == tenant)
        return tuple(map(_key_of, self._database.read(lambda connection: connection.execute(rows).mappings().all())))

    def revoke_key(self, key_id: str) -> ApiKey:
        """End a key for good; running services refuse it within half a minute.

        Raises:
            DubflowError: `not_found`.
        """

        def revoke(connection: Connection) -> ApiKey:
            good = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
            connection.execute(update(api_keys).where(good).values(revoked_at=Now()))
            return _key_of(_row(connection, key_id))

        return self._database.write(revoke)

    def any_key(self) -> bool:
        """Tell whether there ever was a key: revoking the last one must not open the service to everybody."""
        return bool(self._database.read(lambda connection: connection.scalar(select(exists().select_from(api_keys)))))

    def find_key(self, key_id: str) -> FoundKey | None:
        """Find a key that is neither revoked nor expired, and note that it is used."""
        row = self._database.read(lambda connection: read_good(connection, key_id))
        return None if row is None else self._used(row)

    def _used(self, row: RowMapping) -> FoundKey:
        if row["now"] - (row["last_used_at"] or 0.0) > _USE_IS_NOTED_EVERY_SECONDS:
            due = func.coalesce(api_keys.c.last_used_at, 0.0) < Now() - _USE_IS_NOTED_EVERY_SECONDS
            noted = update(api_keys).where(api_keys.c.id == row["id"], due).values(last_used_at=Now())
            self._database.write(lambda connection: connection.execute(noted))
        overrides: dict[str, Any] = json.loads(row["limits"] or "{}")
        left = math.inf if row["expires_at"] is None else row["expires_at"] - row["now"]
        return FoundKey(Holder(_key_of(row), self._limits.with_overrides(overrides)), row["secret_hash"], left)


def is_good() -> ColumnElement[bool]:
    """What a row of `api_keys` is while its key may be used."""
    unexpired = api_keys.c.expires_at.is_(None) | (api_keys.c.expires_at > Now())
    return api_keys.c.revoked_at.is_(None) & unexpired


def read_good(connection: Connection, key_id: str) -> RowMapping | None:
    """A good key's row with the limits of its tenant and the time."""
    rows = (
        select(api_keys, tenants.c.limits, Now().label("now"))
        .outerjoin(tenants, tenants.c.id == api_keys.c.tenant)
        .where(api_keys.c.id == key_id, is_good())
    )
    return connection.execute(rows).mappings().one_or_none()


def _row(connection: Connection, key_id: str) -> RowMapping:
    row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).mappings().one_or_none()
    if row is None:
        raise unknown_key(key_id)
    return row


def _key_of(row: RowMapping) -> ApiKey:
    return ApiKey(
        id=row["id"],
        tenant=row["tenant"],
        name=row["name"],
        scopes=frozenset(Scope(scope) for scope in json.loads(row["scopes"]) if scope in set(Scope)),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )


def _require_scopes(scopes: Iterable[Scope]) -> frozenset[Scope]:
    granted = frozenset(scopes)
    if not granted:
        raise DubflowError(ErrorCode.INVALID_REQUEST, f"a key needs a scope; there are {', '.join(Scope)}")
    return granted


def _require_label(name: str) -> None:
    if storable(name) != name or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise DubflowError(ErrorCode.INVALID_REQUEST, f"a key's name is a line of up to {_LONGEST_NAME} characters")
